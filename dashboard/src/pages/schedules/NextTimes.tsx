import { Ago, When } from '../../ui/Time.tsx'

/** The next ten: the first in words, the others as a list. */
export function NextTimes({ times }: { times: string[] }) {
  const [next, ...later] = times
  if (next === undefined) return <p className="small quiet">no next time</p>
  return (
    <ol className="next-times" aria-label="The next times">
      <li>
        <When at={next} className="strong" /> <Ago at={next} className="quiet" />
      </li>
      {later.map((time) => (
        <li key={time}>
          <When at={time} />
        </li>
      ))}
    </ol>
  )
}
