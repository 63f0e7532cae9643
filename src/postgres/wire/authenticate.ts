import { createHash } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { AppError, messageOf } from '../../core/app-error.ts'
import { tlsServerEndPoint } from './channel-binding.ts'
import type { AuthenticationMethod, ConnectionTarget, Host } from '../target/connection-target.ts'
import { ScramExchange, type ScramBinding } from './scram.ts'
import { decodeCStrings, encodeCString, encodeMessage, serverMessage } from './messages.ts'
import type { WireSession } from './session.ts'

/** The codes of the Authentication messages. */
const request = { ok: 0, cleartext: 3, md5: 5, gss: 7, sspi: 9, sasl: 10, saslContinue: 11, saslFinal: 12 } as const

/**
 * Answers what the server asks after the startup packet until it is content: cleartext, MD5 and SCRAM-SHA-256, the
 * latter bound to the TLS channel where both sides can. Throws `authentication-failed`.
 */
export async function authenticate(session: WireSession, target: ConnectionTarget, host: Host): Promise<void> {
  let method: AuthenticationMethod = 'none'
  for (;;) {
    const { code, data } = await receiveRequest(session)
    switch (code) {
      case request.ok:
        permit(target, method)
        return
      case request.cleartext:
        permit(target, (method = 'password'))
        session.channel.send(encodeMessage('p', encodeCString(passwordFor(target, host))))
        break
      case request.md5:
        permit(target, (method = 'md5'))
        session.channel.send(encodeMessage('p', encodeCString(md5Answer(target, passwordFor(target, host), data))))
        break
      case request.sasl:
        permit(target, (method = 'scram-sha-256'))
        await exchangeScram(session, target, { password: passwordFor(target, host), mechanisms: decodeCStrings(data) })
        break
      case request.gss:
      case request.sspi:
        throw refused(`the server asks for ${code === request.gss ? 'GSSAPI' : 'SSPI'}, which is not supported`)
      default:
        throw refused(`the server asks for a way to authenticate that is not supported (${code})`)
    }
  }
}

async function receiveRequest(session: WireSession): Promise<{ code: number; data: Buffer }> {
  for (;;) {
    const message = await session.channel.receive()
    if (message.type === serverMessage.authentication && message.body.length >= 4) {
      return { code: message.body.readUInt32BE(0), data: message.body.subarray(4) }
    }
    // A server that does not know the protocol version, or is not PostgreSQL, sends something else here.
    const known = session.absorb(message)
    session.throwIfRefused()
    if (!known) throw new AppError('connection-failed', 'the server does not speak protocol 3.0 of PostgreSQL')
  }
}

function permit(target: ConnectionTarget, method: AuthenticationMethod): void {
  if (target.requireAuth && !target.requireAuth.includes(method)) {
    throw refused(`the server asks for authentication method "${method}", which require_auth does not allow`)
  }
  if (target.channelBinding === 'require' && method !== 'scram-sha-256') {
    throw refused('channel binding is required, and the server did not ask for SCRAM')
  }
}

function passwordFor(target: ConnectionTarget, host: Host): string {
  const password = target.password(host)
  if (password !== undefined) return password
  throw new AppError('authentication-failed', `the server asks for the password of "${target.user}", and none is set`, {
    hint: target.passwordFileIgnored ?? 'set PGPASSWORD, or add a line to ~/.pgpass',
  })
}

function md5Answer(target: ConnectionTarget, password: string, salt: Buffer): string {
  const md5 = (...parts: readonly (string | Uint8Array)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest('hex')
  return `md5${md5(md5(password, target.user), salt)}`
}

async function exchangeScram(
  session: WireSession,
  target: ConnectionTarget,
  { password, mechanisms }: { password: string; mechanisms: readonly string[] },
): Promise<void> {
  const { mechanism, binding } = chooseMechanism(session, target, mechanisms)
  const scram = new ScramExchange(password, binding)
  const first = Buffer.from(scram.firstMessage())
  const length = Buffer.alloc(4)
  length.writeUInt32BE(first.length)
  session.channel.send(encodeMessage('p', encodeCString(mechanism), length, first))
  const serverFirst = await receiveSasl(session, request.saslContinue)
  try {
    session.channel.send(encodeMessage('p', Buffer.from(await scram.finalMessage(serverFirst))))
    scram.verify(await receiveSasl(session, request.saslFinal))
  } catch (error) {
    if (error instanceof AppError) throw error
    throw refused(messageOf(error), error)
  }
}

async function receiveSasl(session: WireSession, wanted: number): Promise<string> {
  const { code, data } = await receiveRequest(session)
  if (code === wanted) return data.toString()
  throw refused('the server broke off the SCRAM exchange')
}

function chooseMechanism(
  session: WireSession,
  target: ConnectionTarget,
  mechanisms: readonly string[],
): { mechanism: string; binding: ScramBinding } {
  const { socket } = session.channel
  const mode = target.channelBinding
  const certificate = socket instanceof TLSSocket && mode !== 'disable' ? socket.getPeerX509Certificate() : undefined
  const data = certificate && tlsServerEndPoint(certificate.raw)
  if (data && mechanisms.includes('SCRAM-SHA-256-PLUS')) {
    return { mechanism: 'SCRAM-SHA-256-PLUS', binding: { flag: 'p=tls-server-end-point', data } }
  }
  if (mode === 'require') {
    throw refused(
      socket instanceof TLSSocket
        ? 'channel binding is required, and the server does not offer it'
        : 'channel binding is required, and the connection is not encrypted',
    )
  }
  if (mechanisms.includes('SCRAM-SHA-256')) {
    return { mechanism: 'SCRAM-SHA-256', binding: { flag: data ? 'y' : 'n' } }
  }
  throw refused(`the server offers only SASL mechanisms that are not supported: ${mechanisms.join(', ')}`)
}

function refused(message: string, cause?: unknown): AppError {
  return new AppError('authentication-failed', message, {
    hint: "check the settings of the connection, and the rules in the server's pg_hba.conf",
    cause,
  })
}
