import type { DatabaseSummary } from '../../../../src/shapes/database.ts'
import { DayStrip } from '../../charts/DayStrip.tsx'
import { Freshness } from '../../charts/Freshness.tsx'
import { duration, roughly, size } from '../../text/format.ts'
import { Ago } from '../../ui/Time.tsx'

/** The three answers for one database, its objectives, and its last thirty days. */
export function DatabaseFacts({ database }: { database: DatabaseSummary }) {
  const { restorableTo, lastProof, lastBackup, objectives, nextRun } = database
  return (
    <section className="card pad stack" aria-label="State">
      <dl className="facts dense">
        <div>
          <dt>Restorable to</dt>
          <dd>
            {restorableTo === null ? 'nothing proven' : <Ago at={restorableTo} />}
            <Freshness database={database} />
            <small>{objectives.rpo === null ? 'no objective' : `backups at most ${roughly(objectives.rpo)} old`}</small>
          </dd>
        </div>
        <div>
          <dt>Last proof</dt>
          <dd>
            {lastProof === null ? 'none yet' : <Ago at={lastProof.at} />}
            <small>
              {lastProof !== null && `${lastProof.outcome}, `}
              {objectives.proveEvery === null ? 'no objective' : `due every ${roughly(objectives.proveEvery)}`}
            </small>
          </dd>
        </div>
        <div>
          <dt>A restore takes</dt>
          <dd>
            {lastProof === null ? 'not known yet' : duration(lastProof.tookMs)}
            <small>
              {objectives.restoreWithin === null
                ? 'as the last proof did'
                : `may take ${duration(objectives.restoreWithin)}`}
            </small>
          </dd>
        </div>
        <div>
          <dt>Last backup</dt>
          <dd>
            {lastBackup === null ? 'none yet' : <Ago at={lastBackup.at} />}
            <small>{lastBackup !== null && `${size(lastBackup.bytes)}, ${size(lastBackup.stored)} stored`}</small>
          </dd>
        </div>
        <div>
          <dt>Next backup</dt>
          <dd>{nextRun === null ? 'not scheduled' : <Ago at={nextRun} />}</dd>
        </div>
        <div className="wide">
          <dt>30 days</dt>
          <dd>
            <DayStrip days={database.days} />
          </dd>
        </div>
      </dl>
    </section>
  )
}
