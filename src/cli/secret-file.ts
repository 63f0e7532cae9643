import { randomBytes } from 'node:crypto'
import { link, open, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../core/app-error.ts'
import { createTemporaryDirectory } from '../core/temporary-directory.ts'

/** Writes a file that must not exist and that only its owner can read: whole and durable, or not at all. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  try {
    const folder = await realpath(dirname(path))
    await using temporary = await createTemporaryDirectory('key')
    const unfinished = join(folder, `.pgrevive-${randomBytes(12).toString('hex')}`)
    await temporary.claim(unfinished)
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
