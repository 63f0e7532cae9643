import { basename } from 'node:path'

/** When a dump was made, and who says so. */
export interface OriginalTime {
  readonly at: Date
  readonly from: 'name' | 'archive' | 'file'
}

/**
 * The time stamp in the name, as `date +%Y%m%d_%H%M%S` and its like make them: in this machine's time zone (TZ), or UTC
 * where a Z follows. Else the time in the archive; else that of the file. A name with no more than a date moves a time of
 * another day to the beginning of that day. What lies in the future is not believed.
 */
export function originalTime(
  path: string,
  known: { readonly createdAt: Date | undefined; readonly modifiedAt: Date; readonly now: Date },
): OriginalTime {
  const { createdAt, modifiedAt, now } = known
  const stamp = timeInName(path)
  if (stamp && stamp.at <= now && !stamp.dateOnly) return { at: stamp.at, from: 'name' }
  const other: OriginalTime =
    createdAt && createdAt <= now
      ? { at: createdAt, from: 'archive' }
      : { at: modifiedAt <= now ? modifiedAt : now, from: 'file' }
  if (!stamp || stamp.at > now || isSameDay(stamp.at, other.at)) return other
  return { at: stamp.at, from: 'name' }
}

const stampPattern =
  /(?<!\d)(?<year>(?:19|20)\d\d)([-._]?)(?<month>\d\d)\2(?<day>\d\d)(?:[-_T. ]?(?<hour>\d\d)([-_:.h]?)(?<minute>\d\d)(?:\6(?<second>\d\d))?(?<zone>Z)?)?(?!\d)/g

/** The last one, since what stands before may be a part of the database's name. */
function timeInName(path: string): { readonly at: Date; readonly dateOnly: boolean } | undefined {
  for (const { groups = {} } of [...basename(path).matchAll(stampPattern)].toReversed()) {
    const part = (name: string) => Number(groups[name] ?? 0)
    const parts = [part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')] as const
    const at = groups['zone'] ? new Date(Date.UTC(...parts)) : new Date(...parts)
    const isReal = groups['zone']
      ? at.getUTCMonth() === parts[1] && at.getUTCDate() === parts[2] && at.getUTCMinutes() === parts[4]
      : at.getMonth() === parts[1] && at.getDate() === parts[2] && at.getMinutes() === parts[4]
    if (isReal && part('hour') < 24) return { at, dateOnly: groups['hour'] === undefined }
  }
  return undefined
}

function isSameDay(one: Date, other: Date): boolean {
  return one.toDateString() === other.toDateString()
}

/** What a dump without a name of its own is listed under: its file's, without time stamp and endings. */
export function nameFromPath(path: string): string {
  const stem = basename(path).replace(/(\.(sql|dump|dmp|backup|bak|pgdump|tar|gz|zst|enc))+$/i, '')
  const name = stem.replaceAll(stampPattern, '').replace(/^[-_.\s]+|[-_.\s]+$/g, '')
  return name === '' ? stem : name
}
