import { useInfiniteQuery } from '@tanstack/react-query'
import { ScrollText } from 'lucide-react'
import { useState } from 'react'
import type { AuditEntry } from '../../../../src/shapes/access.ts'
import { at, get, withQuery } from '../../api/client.ts'
import type { Page as ListPage } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { exact } from '../../text/format.ts'
import { Button } from '../../ui/Button.tsx'
import { Badge, ObjectiveMark, type Tone } from '../../ui/Marks.tsx'
import { Empty, Loading, Problem } from '../../ui/Note.tsx'

const tones: Record<AuditEntry['outcome'], Tone> = { done: 'ok', refused: 'risk', failed: 'bad' }

export function AuditPage() {
  const [text, setText] = useState('')
  const query = useInfiniteQuery({
    queryKey: ['audit'],
    queryFn: ({ pageParam, signal }) =>
      get<ListPage<AuditEntry>>(withQuery(at`audit`, { before: pageParam ?? undefined }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  })
  const wanted = text.toLowerCase()
  const entries = query.data?.pages.flatMap((page) => page.items) ?? []
  const shown = entries.filter((entry) =>
    [entry.by, entry.from, entry.act, entry.subject, entry.detail].some((part) => part?.toLowerCase().includes(wanted)),
  )
  return (
    <Page
      title="Audit log"
      about="Every act, and every try that was refused: who, from where, what, and how it went."
      actions={
        <input
          className="input filter"
          type="search"
          aria-label="Filter what is loaded"
          placeholder="Filter"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      }
    >
      {query.error && <Problem error={query.error} />}
      {query.isPending && <Loading what="the audit log" />}
      {query.data && entries.length === 0 && (
        <Empty icon={<ScrollText aria-hidden="true" />} title="Nothing yet">
          Sign-ins, changes, runs that somebody begins, and tries that are refused will be listed here.
        </Empty>
      )}
      {entries.length > 0 && (
        <div className="card table-scroll" tabIndex={0} role="region" aria-label="Audit log">
          <table className="table">
            <thead>
              <tr>
                <th>When</th>
                <th>Who</th>
                <th>What</th>
                <th>About</th>
                <th>Outcome</th>
                <th>From</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((entry) => (
                <tr key={entry.id}>
                  <td className="nowrap">
                    <time dateTime={entry.at}>{exact(entry.at)}</time>
                  </td>
                  <td>{entry.by ?? <span className="quiet">somebody unknown</span>}</td>
                  <td className="strong">{words(entry.act)}</td>
                  <td className="break">
                    {entry.subject}
                    {entry.detail !== null && <span className="quiet block">{entry.detail}</span>}
                  </td>
                  <td>
                    <Badge
                      tone={tones[entry.outcome]}
                      mark={
                        <ObjectiveMark
                          state={entry.outcome === 'done' ? 'ok' : entry.outcome === 'refused' ? 'at-risk' : 'failing'}
                        />
                      }
                    >
                      {entry.outcome}
                    </Badge>
                  </td>
                  <td className="mono quiet">{entry.from}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {query.hasNextPage && (
        <div className="more">
          <Button disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Older ones
          </Button>
        </div>
      )}
    </Page>
  )
}

/** "issueToken" → "issue token". */
const words = (act: string) => act.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
