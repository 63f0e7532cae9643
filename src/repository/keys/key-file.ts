import { AppError } from '../../core/app-error.ts'
import { isAgeIdentity, shortKey } from './age-identity.ts'
import { recipientOf } from './age.ts'
import { repositorySecretBytes } from './derived-keys.ts'

const writerLine =
  /^#\s*pgrevive-writer-key:\s*([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\s+([A-Za-z0-9+/]{43}=)\s*$/

/** What a key that only writes is known by: it is no recipient. */
const writerIdLine = /^#\s*pgrevive-writer-id:\s*([0-9a-f]{16})\s*$/

/**
 * What opens a repository. With identities it reads what others wrote; with the secret alone it writes and lists. Printing
 * it shows no secret.
 */
export class RepositoryKey {
  /** The repository that the secret belongs to; undefined for a plain age identity, which may open any. */
  readonly repositoryId: string | undefined
  /** What the repository knows a key by that only writes; not all have one. */
  readonly writerId: string | undefined
  readonly #secret: Buffer | undefined
  readonly #identities: readonly string[]

  constructor(parts: {
    readonly identities?: readonly string[]
    readonly writer?:
      { readonly repositoryId: string; readonly secret: Uint8Array; readonly id?: string | undefined } | undefined
  }) {
    this.#identities = parts.identities ?? []
    this.repositoryId = parts.writer?.repositoryId
    this.writerId = parts.writer?.id
    this.#secret = parts.writer && Buffer.from(parts.writer.secret)
  }

  /** The repository's secret R, if the key pins one. */
  get secret(): Buffer | undefined {
    return this.#secret
  }

  /** age identities, `AGE-SECRET-KEY-1…`. */
  get identities(): readonly string[] {
    return this.#identities
  }

  get canRead(): boolean {
    return this.#identities.length > 0
  }

  /** The same key for a host that may back up and list, but not read. Undefined for a plain age identity. */
  forWritingOnly(id?: string): RepositoryKey | undefined {
    return this.repositoryId === undefined ? undefined : this.#with([], id)
  }

  /** The same key with other identities. */
  withIdentities(identities: readonly string[]): RepositoryKey {
    return this.#with(identities)
  }

  #with(identities: readonly string[], id?: string): RepositoryKey {
    const { repositoryId } = this
    const secret = this.#secret
    return new RepositoryKey({
      identities,
      writer: repositoryId === undefined || !secret ? undefined : { repositoryId, secret, id },
    })
  }
}

/** Reads a key file or an age identity file. Throws `key-invalid`. */
export function parseKeyFile(text: string): RepositoryKey {
  const identities: string[] = []
  let writer: { repositoryId: string; secret: Buffer } | undefined
  let writerId: string | undefined
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    if (!line.startsWith('#')) {
      if (!isAgeIdentity(line.trim())) throw invalidLine(index + 1)
      identities.push(line.trim())
    } else if (line.includes('pgrevive-writer-key')) {
      const [, repositoryId, secret] = writerLine.exec(line) ?? []
      if (repositoryId === undefined || secret === undefined) throw invalidLine(index + 1)
      writer = { repositoryId, secret: Buffer.from(secret, 'base64') }
    } else writerId ??= writerIdLine.exec(line)?.[1]
  }
  if (identities.length === 0 && !writer) {
    throw new AppError('key-invalid', 'the key file holds no key', {
      hint: 'it has a line AGE-SECRET-KEY-1… or "# pgrevive-writer-key: …"',
    })
  }
  if (writer && writer.secret.length !== repositorySecretBytes) {
    throw new AppError('key-invalid', 'the writer key in the key file is not 32 bytes long')
  }
  return new RepositoryKey({ identities, writer: writer && { ...writer, id: writerId } })
}

/** The text of a key file; also an age identity file if the key can read. */
export async function formatKeyFile(key: RepositoryKey): Promise<string> {
  const lines = [key.repositoryId === undefined ? '# pgrevive key' : `# pgrevive key of repository ${key.repositoryId}`]
  if (key.canRead) {
    lines.push('# Whoever has this file can read the backups, and without it nobody can.')
    lines.push('# Keep a copy where the loss of this machine does not reach it.')
    for (const identity of key.identities) lines.push(`# recipient: ${shortKey(await recipientOf(identity))}`)
  } else {
    lines.push('# It writes and lists backups and can not read them.')
  }
  if (key.writerId !== undefined) lines.push(`# pgrevive-writer-id: ${key.writerId}`)
  if (key.repositoryId !== undefined && key.secret) {
    lines.push(`# pgrevive-writer-key: ${key.repositoryId} ${key.secret.toString('base64')}`)
  }
  return `${[...lines, ...key.identities].join('\n')}\n`
}

function invalidLine(number: number): AppError {
  return new AppError('key-invalid', `line ${number} of the key file is not a key`, {
    hint: 'lines are AGE-SECRET-KEY-1… or begin with #; age plugins are not supported',
  })
}
