import type { Repository } from '../../../../src/shapes/repository.ts'
import { Line } from '../../charts/Line.tsx'
import { factor, plural, sentence, size } from '../../text/format.ts'
import { Badge, ObjectiveMark } from '../../ui/Marks.tsx'
import { Ago } from '../../ui/Time.tsx'

/** What lies there, how much smaller it is than what it restores to, and how it grew. */
export function RepositoryCard({ repository }: { repository: Repository }) {
  const { stored, bytes, dedup, compression, growth } = repository
  return (
    <article className="card pad repository">
      <div className="row spread">
        <h3 className="cut">{repository.name}</h3>
        <Reachable repository={repository} />
      </div>
      <p className="small quiet cut" title={repository.place}>
        {repository.place}
      </p>
      <p className="repository-size">
        <strong>{stored === null ? '–' : size(stored)}</strong>{' '}
        <span className="quiet">
          {bytes !== null && `for ${size(bytes)} in ${plural(repository.backups, 'backup')}`}
        </span>
      </p>
      <Squeeze stored={stored} bytes={bytes} dedup={dedup} />
      <ul className="row small factors">
        {dedup !== null && (
          <li>
            <strong>{factor(dedup)}</strong> deduplicated
          </li>
        )}
        {compression !== null && (
          <li>
            <strong>{factor(compression)}</strong> compressed
          </li>
        )}
      </ul>
      {growth.length > 1 && (
        <figure>
          <Line
            tall
            values={growth.map((one) => one.stored)}
            label={`${growth.length} days: from ${size(growth[0]?.stored ?? 0)} to ${size(growth.at(-1)?.stored ?? 0)}`}
          />
          <figcaption className="row spread small quiet">
            <span>{growth.length} days</span>
            <span>{grown(growth)}</span>
          </figcaption>
        </figure>
      )}
      {repository.lookedAt !== null && (
        <p className="small quiet">
          looked at <Ago at={repository.lookedAt} />
          {repository.lastCheck && (
            <>
              {' '}
              · {repository.lastCheck.level} checked <Ago at={repository.lastCheck.at} />
              {!repository.lastCheck.ok && <span className="tone-bad">, damaged</span>}
            </>
          )}
        </p>
      )}
      {repository.error && (
        <p className="small tone-bad" role="alert">
          {sentence(repository.error.message)} {repository.error.hint !== undefined && sentence(repository.error.hint)}
        </p>
      )}
    </article>
  )
}

function Reachable({ repository: { reachable } }: { repository: Repository }) {
  if (reachable === null)
    return (
      <Badge tone="idle" mark={<ObjectiveMark state="unknown" />}>
        not looked at
      </Badge>
    )
  if (reachable)
    return (
      <Badge tone="ok" mark={<ObjectiveMark state="ok" />}>
        reachable
      </Badge>
    )
  return (
    <Badge tone="bad" mark={<ObjectiveMark state="failing" />}>
      unreachable
    </Badge>
  )
}

/** Three bars: what the backups restore to, what of it differs, what it takes. */
function Squeeze({ bytes, stored, dedup }: { bytes: number | null; stored: number | null; dedup: number | null }) {
  if (!bytes || stored === null || dedup === null) return null
  const unique = bytes / dedup
  return (
    <svg
      className="squeeze"
      viewBox="0 0 100 15"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${size(bytes)} restored, ${size(unique)} of it different, ${size(stored)} stored`}
    >
      <rect className="restored" width="100" height="4" />
      <rect className="unique" y="5.5" width={Math.max(0.7, (unique / bytes) * 100)} height="4" />
      <rect className="stored" y="11" width={Math.max(0.7, (stored / bytes) * 100)} height="4" />
    </svg>
  )
}

function grown(growth: Repository['growth']): string {
  const first = growth[0]?.stored ?? 0
  const last = growth.at(-1)?.stored ?? 0
  return `${last >= first ? '+' : '−'}${size(Math.abs(last - first))}`
}
