import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createTemporaryDirectory, listLivingDirectories } from './temporary-directory.ts'

const lookAgainMs = 50
/** How long one that begins at the same moment may take to step back. */
const patienceMs = 10_000

/**
 * Held while a run lasts that shall not meet another one of `what`, by the same user on the same machine; undefined if one
 * is under way. It goes with the process, however that ends.
 *
 * Everyone first shows up and then looks round: who sees nobody is alone, since whoever comes later sees it. Of those that
 * begin at once and see each other, the first by name waits for the others to step back, so that one comes through.
 */
export async function becomeSoleRun(what: string): Promise<AsyncDisposable | undefined> {
  const kind = `run${letters(createHash('sha256').update(what).digest())}`
  await using mine = new AsyncDisposableStack()
  const shown = mine.use(await createTemporaryDirectory(kind))
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    const others = (await listLivingDirectories(kind)).filter((path) => path !== shown.path)
    if (others.length === 0) return mine.move()
    if (others.some((path) => path < shown.path) || performance.now() > deadlineMs) return undefined
    await delay(lookAgainMs)
  }
}

/** All that a kind may be made of; 64 bits. */
function letters(digest: Buffer): string {
  return digest
    .toString('hex', 0, 8)
    .replaceAll(/[0-9]/g, (digit) => String.fromCharCode('g'.charCodeAt(0) + Number(digit)))
}
