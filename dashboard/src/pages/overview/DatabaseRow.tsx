import { ChevronRight, MoreHorizontal, Play, RotateCcw, ShieldCheck } from 'lucide-react'
import { Link, useNavigate } from 'react-router'
import type { DatabaseSummary } from '../../../../src/shapes/database.ts'
import { startRun } from '../../api/runs.ts'
import { useSession } from '../../app/session.ts'
import { DayStrip } from '../../charts/DayStrip.tsx'
import { Freshness } from '../../charts/Freshness.tsx'
import { Line } from '../../charts/Line.tsx'
import { roughly, sentence, size } from '../../text/format.ts'
import { Button } from '../../ui/Button.tsx'
import { ObjectiveMark, objectiveWords, ProofMark } from '../../ui/Marks.tsx'
import { Remedy } from '../../ui/Remedy.tsx'
import { Menu, MenuAct, MenuLink } from '../../ui/Menu.tsx'
import { Ago } from '../../ui/Time.tsx'

export function DatabaseRow({ database }: { database: DatabaseSummary }) {
  const address = `/databases/${encodeURIComponent(database.name)}`
  return (
    <li className={`database-row ${database.state}`}>
      <div className="database-name">
        <ObjectiveMark state={database.state} />
        <div className="cut">
          <Link to={address} className="strong cut" title={database.name}>
            {database.name}
          </Link>
          <div className="small quiet cut" title={database.source ?? undefined}>
            <span className="hidden-text">{objectiveWords[database.state]}. </span>
            {database.gone ? 'gone; its backups are kept' : (database.source ?? 'in the repository alone')}
          </div>
        </div>
      </div>
      <div className="cell" data-head="Restorable to">
        {database.restorableTo === null ? (
          <span className="quiet">
            {database.lastProof?.outcome === 'proven' ? 'nothing right now' : 'nothing proven'}
          </span>
        ) : (
          <>
            <Ago at={database.restorableTo} className="strong" />
            <Freshness database={database} />
          </>
        )}
      </div>
      <div className="cell" data-head="How we know">
        <Proof database={database} />
      </div>
      <div className="cell strip">
        <DayStrip days={database.days} />
      </div>
      <div className="cell size" data-head="Size">
        {database.lastBackup === null ? (
          <span className="quiet">–</span>
        ) : (
          <>
            <span>{size(database.lastBackup.bytes)}</span>
            <Line values={database.days.map((day) => day.bytes)} />
          </>
        )}
      </div>
      <div className="cell small" data-head="Backups">
        <Backups database={database} />
      </div>
      <Acts database={database} address={address} />
      {database.reasons.map((reason) => (
        <div key={reason.text} className={`database-reason ${reason.state}`}>
          <ObjectiveMark state={reason.state} />
          <p>
            {sentence(reason.text)}{' '}
            {reason.remedy !== null && (
              <span className="quiet">
                <Remedy text={reason.remedy} />
              </span>
            )}
          </p>
        </div>
      ))}
    </li>
  )
}

function Proof({ database: { lastProof, lastBackup } }: { database: DatabaseSummary }) {
  if (lastProof === null) {
    return (
      <span className="with-mark quiet">
        <ProofMark outcome="unproven" /> {lastBackup === null ? 'no backup' : 'not proven yet'}
      </span>
    )
  }
  return (
    <span className="with-mark">
      <ProofMark outcome={lastProof.outcome} />
      <span>
        <Ago at={lastProof.at} />
        <span className="small quiet block">
          {lastProof.outcome} in {roughly(lastProof.tookMs)}
        </span>
      </span>
    </span>
  )
}

function Backups({ database: { lastBackup, nextRun, running } }: { database: DatabaseSummary }) {
  return (
    <>
      {running !== null ? (
        <Link to={`/runs/${running}`}>running now</Link>
      ) : lastBackup === null ? (
        <span className="quiet">none yet</span>
      ) : (
        <span>
          last <Ago at={lastBackup.at} />
        </span>
      )}
      <span className="quiet block">
        {nextRun === null ? (
          'not scheduled'
        ) : (
          <>
            next <Ago at={nextRun} />
          </>
        )}
      </span>
    </>
  )
}

function Acts({ database, address }: { database: DatabaseSummary; address: string }) {
  const { may } = useSession()
  const navigate = useNavigate()
  const name = database.name
  return (
    <div className="acts">
      <Menu trigger={<Button kind="ghost" slim icon={<MoreHorizontal />} label={`What can be done with ${name}`} />}>
        <MenuLink to={address} icon={<ChevronRight />}>
          Backups and history
        </MenuLink>
        {may('operate') && !database.gone && (
          <MenuAct icon={<Play />} onSelect={() => void startRun({ command: 'backup', databases: [name] }, navigate)}>
            Back up now
          </MenuAct>
        )}
        {may('operate') && database.lastBackup !== null && (
          <MenuAct
            icon={<ShieldCheck />}
            onSelect={() => void startRun({ command: 'prove', databases: [name] }, navigate)}
          >
            Prove the newest backup
          </MenuAct>
        )}
        {may('restore') && database.lastBackup !== null && (
          <MenuLink to={`/restore?database=${encodeURIComponent(name)}`} icon={<RotateCcw />}>
            Restore…
          </MenuLink>
        )}
      </Menu>
    </div>
  )
}
