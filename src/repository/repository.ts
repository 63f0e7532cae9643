import { AppError } from '../core/app-error.ts'
import { hasObject } from '../store/has-object.ts'
import type { AbortOptions, ObjectStore } from '../store/object-store.ts'
import type { JsonValue } from './objects/json-value.ts'
import type { RepositoryKey } from './keys/key-file.ts'
import type { RepositoryContext } from './repository-context.ts'
import { RepositoryReader } from './repository-reader.ts'
import { kitFile } from './restore-kit.ts'
import { sealedKey } from './objects/object-keys.ts'
import { putStatement, records, statements, type StoredRecord, type StoredStatement } from './sessions/stored-record.ts'
import { WritingSession } from './sessions/writing-session.ts'

/** An open repository. Holds nothing that must be closed. */
export class Repository {
  /** For the other parts of this room. */
  readonly context: RepositoryContext
  readonly #key: RepositoryKey

  constructor(context: RepositoryContext, key: RepositoryKey) {
    this.context = context
    this.#key = key
  }

  /** A UUID. */
  get id(): string {
    return this.context.config.id
  }

  get store(): ObjectStore {
    return this.context.store
  }

  /** Whether the key opens data; without that it writes, lists and shows. */
  canRead(): Promise<boolean> {
    return this.context.keyRing.canUnwrap()
  }

  /** age recipients that can read what is written from now on. */
  get recipients(): readonly string[] {
    return this.context.config.recipients
  }

  /** All that it was opened with, to be saved as a key file. */
  get key(): RepositoryKey {
    return this.#key
  }

  /** What restores the repository without pgrevive: `restore.py` in it, as this version writes it. */
  restoreScript(): Promise<Buffer> {
    return kitFile('restore.py', this.context.keys.config)
  }

  /** In the order of their ids, the oldest first. */
  records(options: AbortOptions = {}): AsyncIterable<StoredRecord> {
    return records(this.context, options)
  }

  /** In the order of their ids. */
  proofs(options: AbortOptions = {}): AsyncIterable<StoredStatement> {
    return statements(this.context, 'proof', options)
  }

  /**
   * Returns the id of the proof once it is durable. Rejects with `backup-unknown`, and leaves none, if the record that it
   * is `of` has been forgotten meanwhile: a proof without its record would tell of a loss.
   */
  async saveProof(body: JsonValue, options: AbortOptions & { readonly of?: string | undefined } = {}): Promise<string> {
    const id = await putStatement(this.context, { kind: 'proof', body }, options)
    if (options.of === undefined || (await hasObject(this.store, sealedKey('record', options.of), options))) return id
    await this.store.delete(sealedKey('proof', id), options)
    throw new AppError('backup-unknown', `backup ${options.of} was forgotten meanwhile`, {
      hint: '"pgrevive list" shows the backups that there are',
    })
  }

  /** In the order of their ids. */
  notes(options: AbortOptions = {}): AsyncIterable<StoredStatement> {
    return statements(this.context, 'note', options)
  }

  /** Returns the id of the note once it is durable. */
  saveNote(body: JsonValue, options: AbortOptions = {}): Promise<string> {
    return putStatement(this.context, { kind: 'note', body }, options)
  }

  /** Reads what is there now; open another one for what is committed later. */
  async openReader(options: AbortOptions = {}): Promise<RepositoryReader> {
    return RepositoryReader.open(this.context, options)
  }

  /** `verifyBlobs`: open every blob again before it is uploaded, against faulty memory. On unless it is false. */
  async startSession(
    options: AbortOptions & { readonly verifyBlobs?: boolean | undefined } = {},
  ): Promise<WritingSession> {
    return WritingSession.start(this.context, options)
  }

  /** No later session relies on these packs (SHA-256 in hex): what it needs of them it stores again. Not revocable. */
  async condemn(packs: readonly string[], options: AbortOptions = {}): Promise<void> {
    await this.context.tombstones.condemn(packs, options)
  }
}
