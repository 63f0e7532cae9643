import type { Inventory } from '../packs/inventory.ts'
import type { PackFindings } from './check-packs.ts'

/** What a check is to read of a round, in which all data packs are read in the order of their names, a part at a time. */
export interface WantedPart {
  /** About so much is read; at least one pack. */
  readonly budgetBytes: number
  /** The pack that the part before ended with; undefined: a round begins. */
  readonly after: string | undefined
  /** Packs that the round has found damaged: they are looked at again, whatever the budget. */
  readonly again: readonly string[]
}

/** How far a round has come. */
export interface CheckedPart {
  /** The pack that the part ended with; undefined: it was the last one, and the round is over. */
  readonly upTo: string | undefined
  /** Names of the packs that the round has found damaged, and that are so still. */
  readonly damaged: readonly string[]
  readonly doneBytes: number
  /** Of all data packs now. */
  readonly totalBytes: number
}

export interface ChosenPart extends Omit<CheckedPart, 'damaged'> {
  readonly names: ReadonlySet<string>
}

/** Names are hashes, so that they are in no order that anything else knows, and stay in theirs. */
export function choosePart(inventory: Inventory, { budgetBytes, after = '', again }: WantedPart): ChosenPart {
  const packs = inventory.packs
    .flatMap(({ kind, name = '', state, condemned, sizeBytes }) =>
      kind === 'data' && state !== 'missing' && !condemned ? [{ name, sizeBytes }] : [],
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const names = new Set(again)
  let upTo: string | undefined = after
  let [readBytes, doneBytes] = [0, 0]
  for (const { name, sizeBytes } of packs) {
    if (name > after && readBytes > 0 && readBytes + sizeBytes > budgetBytes) break
    doneBytes += sizeBytes
    if (name <= after) continue
    names.add(name)
    readBytes += sizeBytes
    upTo = name
  }
  const last = packs.at(-1)
  if (!last || upTo >= last.name) upTo = undefined
  return { names, upTo, doneBytes, totalBytes: packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }
}

/** Damage that every check sees without reading is not worth remembering. */
export function partAfter(
  { upTo, doneBytes, totalBytes }: ChosenPart,
  inventory: Inventory,
  findings: PackFindings,
): CheckedPart {
  const damaged = [...findings.problems.keys()].flatMap((number) => {
    const { kind, name, state, condemned } = inventory.pack(number)
    return kind === 'data' && name !== undefined && state === 'stored' && !condemned ? [name] : []
  })
  return { upTo, damaged, doneBytes, totalBytes }
}
