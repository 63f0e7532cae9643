import { ago, exact, short } from '../text/format.ts'
import { useNow } from './now.ts'

/** "2 h ago"; the exact time shows when it is pointed at. */
export function Ago({ at, className }: { at: string; className?: string }) {
  const now = useNow()
  return (
    <time dateTime={at} title={exact(at)} className={className}>
      {ago(at, now)}
    </time>
  )
}

/** "Mon, 23 Nov, 02:00". */
export function When({ at, className }: { at: string; className?: string }) {
  return (
    <time dateTime={at} title={exact(at)} className={className}>
      {short(at)}
    </time>
  )
}
