import { untilAborted } from '../../core/until-aborted.ts'
import type { AbortOptions, OnTrouble } from '../object-store.ts'
import { type Patience, PatientRequests, usualPatience } from '../patient-requests.ts'
import { SftpConnection } from './sftp-connection.ts'
import { describeFailure, explainSftpError, isAnswer, isTransient } from './sftp-errors.ts'
import { type SftpPlace, formatSftpPlace } from './sftp-place.ts'
import { openSftpSession } from './ssh-session.ts'
import type { SshSurroundings } from '../../ssh/ssh-surroundings.ts'

export interface SftpPatience extends Patience {
  /** How long to wait for a server that can not be reached or lets nobody in, and for one that says nothing. */
  readonly connectMs: number
  readonly silenceMs: number
}

export interface SftpClientOptions extends Partial<SftpPatience> {
  readonly surroundings: SshSurroundings
  readonly onTrouble?: OnTrouble | undefined
}

/** Works on one connection after the other, and tries again what fails with one. */
export class SftpClient {
  readonly #place: SftpPlace
  readonly #surroundings: SshSurroundings
  readonly #patience: SftpPatience
  readonly #requests: PatientRequests
  #connecting: Promise<SftpConnection> | undefined
  #connection: SftpConnection | undefined

  constructor(place: SftpPlace, options: SftpClientOptions) {
    this.#place = place
    this.#surroundings = options.surroundings
    this.#patience = { ...usualPatience, connectMs: 10_000, silenceMs: 60_000, ...options }
    this.#requests = new PatientRequests(formatSftpPlace(place), {
      patience: this.#patience,
      words: {
        isTransient,
        isAnswer,
        describe: describeFailure,
        explain: (error, what) => explainSftpError(error, what, place),
      },
      onTrouble: options.onTrouble,
    })
  }

  /** Rejects with an AppError that names `what`. Work under way when `signal` is aborted is left to itself. */
  async run<Result>(
    what: string,
    options: AbortOptions,
    work: (connection: SftpConnection) => Promise<Result>,
  ): Promise<Result> {
    return this.#requests.run(what, options, () => untilAborted(this.#connected().then(work), options.signal))
  }

  #connected(): Promise<SftpConnection> {
    if (this.#connection?.isLost) this.#connecting = undefined
    this.#connecting ??= this.#connect()
    return this.#connecting
  }

  async #connect(): Promise<SftpConnection> {
    this.#connection = undefined
    try {
      const session = await openSftpSession(this.#place, this.#surroundings, this.#patience.connectMs)
      return (this.#connection = new SftpConnection(session, this.#patience.silenceMs))
    } catch (error) {
      this.#connecting = undefined
      throw error
    }
  }
}
