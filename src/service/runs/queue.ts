import type { RunRow } from './run-row.ts'

export interface RunLimits {
  readonly atOnce: number
  readonly atOncePerServer: number
}

type Queued = Pick<RunRow, 'command' | 'exclusions' | 'servers'>

/**
 * Which of the waiting runs can begin, beside those that run. Whoever waits holds its place: no later one takes what an
 * earlier one waits for, so that everyone's turn comes. To list repositories takes no place of the `atOnce`.
 */
export function chooseNext<Waiting extends Queued>(
  waiting: readonly Waiting[],
  running: readonly Queued[],
  limits: RunLimits,
): Waiting[] {
  const taken = new Set(running.flatMap(({ exclusions }) => exclusions))
  const onServers = new Map<string, number>()
  const enter = ({ exclusions, servers }: Queued) => {
    for (const exclusion of exclusions) taken.add(exclusion)
    for (const server of servers) onServers.set(server, (onServers.get(server) ?? 0) + 1)
  }
  for (const one of running) enter(one)
  let places = limits.atOnce - running.filter(takesPlace).length
  const chosen: Waiting[] = []
  for (const one of waiting) {
    const isAlone = one.exclusions.every((exclusion) => !taken.has(exclusion))
    const isWelcome = one.servers.every((server) => (onServers.get(server) ?? 0) < limits.atOncePerServer)
    const begins = isAlone && isWelcome && (!takesPlace(one) || places > 0)
    enter(isAlone ? one : { ...one, servers: [] })
    if (!begins) continue
    if (takesPlace(one)) places--
    chosen.push(one)
  }
  return chosen
}

function takesPlace({ command }: Queued): boolean {
  return command !== 'list'
}
