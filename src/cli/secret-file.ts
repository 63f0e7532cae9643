import { randomBytes } from 'node:crypto'
import { link, open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../core/app-error.ts'

const unfinishedName = /^\.pgrevive-unfinished-[0-9a-f]{24}$/

/**
 * Writes a file that must not exist and that only its owner can read: whole and durable, or not at all. What a killed
 * run left in the same folder goes: nothing relies on a key before it has its name.
 */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  const folder = dirname(path)
  try {
    for (const name of await readdir(folder)) if (unfinishedName.test(name)) await rm(join(folder, name))
    const unfinished = join(folder, `.pgrevive-unfinished-${randomBytes(12).toString('hex')}`)
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => rm(unfinished, { force: true }))
    await writeNewFile(unfinished, text)
    await link(unfinished, path).catch((error: unknown) => {
      if (!hasNoLinks(error)) throw error
      return writeNewFile(path, text) // on a memory stick
    })
    await using directory = await open(folder, 'r')
    await directory.sync()
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new AppError('key-invalid', `${path} ${exists ? 'exists already' : 'can not be written'}`, {
      cause: error,
      hint: exists
        ? 'choose another name with --kit or --key-file: a key is never written over another; if it is from an init that was stopped before the repository was created, remove it'
        : 'choose a place that you may write to',
    })
  }
}

async function writeNewFile(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
}

function hasNoLinks(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['EPERM', 'ENOTSUP', 'ENOSYS'].includes(String(error.code))
}
