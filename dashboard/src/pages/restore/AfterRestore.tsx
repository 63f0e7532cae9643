import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import type { Run, RunRequest } from '../../../../src/shapes/run.ts'
import { queries } from '../../api/queries.ts'
import { requestRun } from '../../api/runs.ts'
import { useSession } from '../../app/session.ts'
import { size } from '../../text/format.ts'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { Note } from '../../ui/Note.tsx'
import { Ago } from '../../ui/Time.tsx'
import { Waiting } from '../../ui/Waiting.tsx'

type Way = 'undo' | 'finish' | 'resume' | 'abort'
type Asked = Way | 'redo'

const about: Record<Asked, { verb: string; title: string; text: string }> = {
  undo: {
    verb: 'Undo the restore',
    title: 'Give the name back to the database from before?',
    text: 'The two change names, in under a second. What was written since the restore stays in the restored one, which is kept.',
  },
  redo: {
    verb: 'Redo the restore',
    title: 'Give the name to the restored database again?',
    text: 'The two change names, in under a second. What was written since the undo stays in the one from before, which is kept.',
  },
  finish: {
    verb: 'Drop the old one',
    title: 'Drop the database from before?',
    text: 'The restore can not be undone after that. What it holds is backed up once more before it goes.',
  },
  resume: { verb: 'Go on', title: 'Go on with the restore?', text: 'It goes on where it ended.' },
  abort: {
    verb: 'Clear it away',
    title: 'Clear away what the restore has begun?',
    text: 'The live database was not touched, and is not now.',
  },
}

/** What restores in place have left, and what can be done about it; with `anew`, nothing that was known before is shown. */
export function RestoreLeft({ database, anew = false }: { database: string; anew?: boolean }) {
  const { may } = useSession()
  const navigate = useNavigate()
  const { data, isFetching } = useQuery({ ...queries.restores(database), refetchOnMount: anew ? 'always' : true })
  const [asked, setAsked] = useState<Asked | null>(null)
  if (anew && isFetching && asked === null) return <Waiting what="Looking what it has left" />
  if (!data || (data.unfinished === null && data.kept.length === 0)) return null
  const request = (way: Way): RunRequest => ({ command: 'restore', way, to: database, confirm: database })
  const go = async (wish: Asked) => {
    // To undo an undo is to redo.
    const run = await requestRun(request(wish === 'redo' ? 'undo' : wish))
    await navigate(`/runs/${run.id}`)
  }
  const newest = data.kept[0]
  return (
    <>
      {data.unfinished && (
        <Note
          tone="risk"
          action={
            may('restore') && (
              <div className="row">
                <Button slim kind="primary" onClick={() => setAsked('resume')}>
                  Go on…
                </Button>
                <Button slim onClick={() => setAsked('abort')}>
                  Clear away…
                </Button>
              </div>
            )
          }
        >
          <p className="strong">A restore of {database} in place has not ended.</p>
          <p className="hint">The live database is as it was.</p>
        </Note>
      )}
      {newest && (
        <Note
          tone="busy"
          action={
            may('restore') && (
              <div className="row">
                <Button slim onClick={() => setAsked(newest.kind === 'before' ? 'undo' : 'redo')}>
                  {newest.kind === 'before' ? 'Undo…' : 'Redo…'}
                </Button>
                <Button slim onClick={() => setAsked('finish')}>
                  Finish…
                </Button>
              </div>
            )
          }
        >
          <p className="strong">
            {newest.kind === 'before'
              ? 'The database from before the restore is kept.'
              : 'The restored database is kept after an undo.'}
          </p>
          <p className="hint">
            {newest.name}, {size(newest.bytes)}
            {newest.since !== null && (
              <>
                , since <Ago at={newest.since} />
              </>
            )}
            {data.kept.length > 1 && `; and ${data.kept.length - 1} older`}
          </p>
        </Note>
      )}
      {asked && (
        <Confirm
          open
          onClose={() => setAsked(null)}
          title={about[asked].title}
          verb={about[asked].verb}
          typed={database}
          act={() => go(asked)}
        >
          <p>{about[asked].text}</p>
        </Confirm>
      )}
    </>
  )
}

/** On a restore's run: as soon as it has ended, what can be done next. */
export function AfterRestore({ run }: { run: Run }) {
  const database = run.databases[0]
  if (run.endedAt === null || database === undefined) return null
  return <RestoreLeft database={database} anew />
}
