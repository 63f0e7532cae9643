import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { queries } from '../../api/queries.ts'
import { clock, exact } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'

/** Follows the end, unless somebody has scrolled away from it. */
export function RunLog({ id }: { id: string }) {
  const query = useQuery(queries.log(id))
  const list = useRef<HTMLOListElement>(null)
  const follows = useRef(true)
  const length = query.data?.length ?? 0
  useEffect(() => {
    if (follows.current && list.current) list.current.scrollTop = list.current.scrollHeight
  }, [length])
  return (
    <Asked query={query} what="the log">
      {(lines) =>
        lines.length === 0 ? (
          <p className="quiet small">It has not said anything yet.</p>
        ) : (
          <ol
            className="log"
            ref={list}
            tabIndex={0}
            aria-label="Log"
            onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
              follows.current = scrollTop + clientHeight > scrollHeight - 30
            }}
          >
            {lines.map((line, index) => (
              // Lines have no identity but their order.
              <li key={index} className={line.level}>
                <time dateTime={line.at} title={exact(line.at)}>
                  {clock(line.at)}
                </time>
                <span>
                  {line.level !== 'info' && <span className="hidden-text">{line.level}: </span>}
                  {line.text}
                </span>
              </li>
            ))}
          </ol>
        )
      }
    </Asked>
  )
}
