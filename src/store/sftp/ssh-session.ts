import type { SFTPWrapper } from 'ssh2'
import { AppError } from '../../core/app-error.ts'
import type { SshPurpose } from '../../ssh/ssh-place.ts'
import { ConnectionLost, type SshSession, openSshSession } from '../../ssh/ssh-session.ts'
import type { SshSurroundings } from '../../ssh/ssh-surroundings.ts'
import type { SftpPlace } from './sftp-place.ts'

/** What is logged in, and speaks SFTP. */
export interface SftpSession extends SshSession {
  readonly sftp: SFTPWrapper
}

const storePurpose: SshPurpose = {
  untrusted: 'store-untrusted',
  denied: 'store-denied',
  failed: 'store-failed',
  variables: 'PGREVIVE_SFTP',
}

/**
 * Connects, looks at the host's key, and logs in, and then asks for SFTP, each within `connectMs`. Rejects with
 * `ConnectionLost`, or with an AppError: `store-untrusted`, `store-denied`, or `store-failed` where there is no SFTP.
 */
export async function openSftpSession(
  place: SftpPlace,
  surroundings: SshSurroundings,
  connectMs: number,
): Promise<SftpSession> {
  const session = await openSshSession(place, storePurpose, surroundings, { connectMs })
  const { client, socket, user } = session
  const timer = setTimeout(() => socket.destroy(new Error(`no SFTP within ${connectMs / 1000} s`)), connectMs)
  try {
    return { ...session, sftp: await openSftp(session) }
  } catch (error) {
    client.destroy()
    if (error instanceof ConnectionLost) throw error
    throw new AppError('store-failed', `${place.host} offers no SFTP to ${user}`, {
      cause: error,
      hint: 'sshd needs "Subsystem sftp internal-sftp", and what runs at the login must print nothing',
    })
  } finally {
    clearTimeout(timer)
  }
}

function openSftp({ client }: SshSession): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.once('close', () => reject(new ConnectionLost('the connection broke while asking for SFTP')))
    client.sftp((error, sftp) => {
      if (!error) resolve(sftp)
      else reject(/^No(t connected| response)/.test(error.message) ? new ConnectionLost(error.message) : error)
    })
  })
}
