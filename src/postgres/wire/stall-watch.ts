import { AppError } from '../../core/app-error.ts'
import { sqlStateOf } from './postgres-error.ts'
import type { WireChannel } from './channel.ts'
import type { Row } from './session.ts'

/** A session that may be cut off. */
export interface Suspect {
  readonly channel: WireChannel
  /** What pg_stat_activity calls pid. */
  readonly processId: number
  /** `host:port` */
  readonly place: string
  /** How often to look. */
  readonly checkMs: number
  /** Asks the same server through another session, which gives up by itself. */
  readonly ask: (sql: string) => Promise<Row[]>
}

/** The state of a moment may be over when the answer arrives; what is so at two looks, with nothing moving between, is not. */
const looks = 2

/**
 * Ends a wait that no answer will end: a network may swallow what is sent and close nothing, and TCP's own probes may be
 * answered on the way. Silence alone is no sign, for a server may sort or wait for a lock for hours. So when nothing moves
 * for a while, another session asks what this one's process does: if it is gone or waits for its client, or if nobody can be
 * reached there any more, the channel fails with `connection-lost`. Watches until disposed.
 */
export function watchForStalls(suspect: Suspect): Disposable {
  const { channel, checkMs } = suspect
  let watching = true
  let moved = channel.moved
  let strikes = 0
  const look = async () => {
    const stuck = channel.waiting && channel.moved === moved
    moved = channel.moved
    const problem = stuck ? await findProblem(suspect) : undefined
    if (!watching) return
    strikes = problem !== undefined && channel.moved === moved ? strikes + 1 : 0
    if (problem === undefined || strikes < looks) return schedule()
    channel.fail(stallFailure(suspect, problem))
    await endSession(suspect)
  }
  let timer: NodeJS.Timeout
  const schedule = () => {
    timer = setTimeout(() => void look(), checkMs).unref()
  }
  schedule()
  return {
    [Symbol.dispose]: () => {
      watching = false
      clearTimeout(timer)
    },
  }
}

async function findProblem({ ask, processId }: Suspect): Promise<string | undefined> {
  try {
    const [row] = await ask(`SELECT wait_event_type FROM pg_catalog.pg_stat_activity WHERE pid = ${processId}`)
    if (!row) return 'the server has ended the session'
    return row[0] === 'Client' ? 'the server waits for this side' : undefined
  } catch (error) {
    // with another SQLSTATE it answers, and has no room or no right for a second session
    const state = sqlStateOf(error)
    return state === undefined || state === '57P03' ? 'the server can not be reached any more' : undefined
  }
}

function stallFailure({ place, checkMs }: Suspect, problem: string): AppError {
  const seconds = Math.round((looks * checkMs) / 1000)
  return new AppError('connection-lost', `${place} has been silent for ${seconds} s, and ${problem}`, {
    hint: 'something between loses what is sent: look at firewalls, proxies and NAT on the way, and run the same command again',
  })
}

/** It would go on holding its locks, for the server does not know that its client has gone. */
async function endSession({ ask, processId }: Suspect): Promise<void> {
  const ours = "application_name = pg_catalog.current_setting('application_name') AND usename = current_user"
  await ask(
    `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = ${processId} AND ${ours}`,
  ).catch(() => undefined) // a server that can not be told ends it by its own keepalive; the caller hears of the loss itself
}
