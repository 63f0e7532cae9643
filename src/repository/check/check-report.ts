import type { CheckedPart } from './check-part.ts'

/**
 * 0: packs are there and have their length. 1: also records, metadata packs, and that every chunk of every stream lies in
 * a pack. 2: also the bits of all packs. 3: also the content of all packs.
 */
export type CheckLevel = 0 | 1 | 2 | 3

/**
 * `short`: has another length than it was written with. `hash`: its bits are not what its name says. `unreadable`: can not
 * be decrypted or parsed, or holds something else than it says. `dangling`: names data that lies nowhere. `outdated`: who
 * has access was changed, and it does not say so.
 */
export type DamageProblem = 'missing' | 'short' | 'hash' | 'unreadable' | 'dangling' | 'outdated'

export interface Damage {
  /** Key of the object in the store. */
  readonly object: string
  readonly problem: DamageProblem
  /** Backups that can not be restored in full because of it; no streams are named when the record itself is damaged. */
  readonly backups: readonly { readonly id: string; readonly streams: readonly string[] }[]
}

/** `condemned`: nothing new relies on the pack. `rewritten`: the object is as it should be again. */
export interface Repair {
  readonly object: string
  readonly problem: DamageProblem
  readonly done: 'condemned' | 'rewritten'
}

export interface CheckReport {
  readonly level: CheckLevel
  readonly checked: {
    readonly packs: number
    readonly packBytes: number
    /** Of packs that were read and hashed. */
    readonly readBytes: number
    readonly chunks: number
    readonly records: number
    readonly streams: number
    readonly proofs: number
    readonly notes: number
  }
  /** Sorted by object; without what was repaired. */
  readonly damages: readonly (Damage & { readonly repairable: boolean })[]
  /**
   * Backups that the damages touch, each with its record and proofs as far as they are there: whoever gives the backup up
   * removes them.
   */
  readonly touched: readonly { readonly id: string; readonly objects: readonly string[] }[]
  readonly repairs: readonly Repair[]
  /** Chunks of damaged packs that were copied into new ones. */
  readonly salvagedChunks: number
  /**
   * Backups whose record is much younger than its commit check: it was stored late, or copied without its time. With
   * nothing else wrong all their data is there.
   */
  readonly late: readonly string[]
  /** Where only a part was to be read. */
  readonly part?: CheckedPart
}

/** Gathers damages while a check runs. */
export class DamageList {
  readonly #damages = new Map<
    string,
    { readonly object: string; readonly problem: DamageProblem; readonly backups: Map<string, Set<string>> }
  >()

  add(object: string, problem: DamageProblem, backup?: { readonly id: string; readonly stream?: string }): void {
    const name = `${object} ${problem}`
    const damage = this.#damages.get(name) ?? { object, problem, backups: new Map<string, Set<string>>() }
    this.#damages.set(name, damage)
    if (!backup) return
    const streams = damage.backups.get(backup.id) ?? new Set<string>()
    damage.backups.set(backup.id, streams)
    if (backup.stream !== undefined) streams.add(backup.stream)
  }

  /** Takes what is known of an object off the list. */
  take(object: string): Damage[] {
    const taken = this.toSorted().filter((damage) => damage.object === object)
    for (const { problem } of taken) this.#damages.delete(`${object} ${problem}`)
    return taken
  }

  toSorted(): Damage[] {
    return [...this.#damages.values()]
      .map(({ object, problem, backups }) => ({
        object,
        problem,
        backups: [...backups].map(([id, streams]) => ({ id, streams: [...streams] })),
      }))
      .toSorted((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : 0))
  }
}
