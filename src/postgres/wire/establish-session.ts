import { AppError, hasCode } from '../../core/app-error.ts'
import { authenticate } from './authenticate.ts'
import {
  describeHost,
  type ConnectionTarget,
  type Host,
  type TargetSessionAttributes,
} from '../target/connection-target.ts'
import { openSocket, type Encryption } from './open-socket.ts'
import { sqlStateOf, type PostgresReport } from './postgres-error.ts'
import { WireChannel } from './channel.ts'
import { encodeStartup } from './messages.ts'
import { WireSession } from './session.ts'

export interface EstablishOptions {
  readonly signal?: AbortSignal | undefined
  readonly applicationName?: string | undefined
  /** Settings of the session, sent with the startup packet. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  readonly onNotice?: ((notice: PostgresReport) => void) | undefined
}

export interface Established {
  readonly session: WireSession
  readonly host: Host
}

/**
 * An authenticated session with the first of the target's hosts that answers and is of the kind that is wanted. Like
 * libpq, goes on to the next host unless a server refused the user, the password or the database.
 */
export async function establishSession(target: ConnectionTarget, options: EstablishOptions = {}): Promise<Established> {
  const failures: AppError[] = []
  const { targetSessionAttrs } = target
  const rounds = targetSessionAttrs === 'prefer-standby' ? (['standby', 'any'] as const) : [targetSessionAttrs]
  for (const wanted of rounds) {
    for (const host of target.hosts) {
      try {
        return { session: await establishWithin(target, host, { ...options, wanted }), host }
      } catch (error) {
        if (!hasCode(error, 'connection-failed', 'connection-lost', 'tls-failed')) throw error
        failures.push(error)
      }
    }
  }
  const [failure] = failures
  if (failure && failures.length === 1) throw failure
  throw new AppError('connection-failed', `no server could be used: ${failures.map((it) => it.message).join('; ')}`, {
    ...(failure?.hint === undefined ? {} : { hint: failure.hint }),
    cause: new AggregateError(failures),
  })
}

type HostOptions = EstablishOptions & { readonly wanted: TargetSessionAttributes }

async function establishWithin(target: ConnectionTarget, host: Host, options: HostOptions): Promise<WireSession> {
  const { connectTimeoutMs } = target
  if (connectTimeoutMs === 0) return negotiate(target, host, options)
  const timeout = AbortSignal.timeout(connectTimeoutMs)
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
  try {
    return await negotiate(target, host, { ...options, signal })
  } catch (error) {
    if (!timeout.aborted || options.signal?.aborted) throw error
    throw new AppError(
      'connection-failed',
      `${describeHost(host)} did not answer within ${connectTimeoutMs / 1000} s`,
      {
        hint: 'check the address and the firewalls on the way, or raise connect_timeout',
        cause: error,
      },
    )
  }
}

/** Tries with and without TLS as sslmode says. */
async function negotiate(target: ConnectionTarget, host: Host, options: HostOptions): Promise<WireSession> {
  const [first, second] = encryptionPlan(target)
  try {
    return await startSession(target, host, { ...options, encryption: first })
  } catch (error) {
    if (second === undefined || !dependsOnEncryption(error)) throw error
    try {
      return await startSession(target, host, { ...options, encryption: second })
    } catch (secondError) {
      throw dependsOnEncryption(secondError) ? error : secondError
    }
  }
}

function encryptionPlan({ sslmode }: ConnectionTarget): readonly [Encryption, Encryption?] {
  switch (sslmode) {
    case 'disable':
      return ['none']
    case 'allow':
      return ['none', 'required']
    case 'prefer':
      return ['offered', 'none']
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return ['required']
  }
}

/**
 * Unlike libpq, a wrong password is not tried again without TLS: pg_hba.conf had a rule for the connection, and only
 * the lack of one (28000) may depend on encryption.
 */
function dependsOnEncryption(error: unknown): boolean {
  return hasCode(error, 'tls-failed') || sqlStateOf(error) === '28000'
}

async function startSession(
  target: ConnectionTarget,
  host: Host,
  options: HostOptions & { readonly encryption: Encryption },
): Promise<WireSession> {
  const channel = new WireChannel(await openSocket(target, host, options), describeHost(host))
  using _abort = channel.failOn(options.signal)
  try {
    const session = new WireSession(channel, options)
    channel.send(
      encodeStartup({
        user: target.user,
        database: target.database,
        application_name: options.applicationName ?? target.applicationName,
        client_encoding: 'UTF8',
        ...(target.options === undefined ? {} : { options: target.options }),
        ...options.parameters,
      }),
    )
    await authenticate(session, target, host)
    await session.finish()
    channel.allowLargeMessages()
    await refuseUnwanted(session, host, options.wanted)
    return session
  } catch (error) {
    channel.destroy()
    throw error
  }
}

async function refuseUnwanted(session: WireSession, host: Host, wanted: TargetSessionAttributes): Promise<void> {
  if (wanted === 'any') return
  const [row] = await session.query(
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')",
  )
  const kinds = [row?.[0] === 't' ? 'standby' : 'primary', row?.[1] === 'on' ? 'read-only' : 'read-write']
  if (kinds.includes(wanted)) return
  throw new AppError('connection-failed', `${describeHost(host)} is ${kinds.join(' and ')}, not ${wanted}`, {
    hint: 'add the host that is wanted, or change target_session_attrs',
  })
}
