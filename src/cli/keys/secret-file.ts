import { randomBytes } from 'node:crypto'
import { link, open, readFile, realpath, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../../core/app-error.ts'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'

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
        ? 'choose another name with --kit, --to or --key-file: a key is never written over another; if it is from an init that was stopped before the repository was created, remove it'
        : 'choose a place that you may write to',
    })
  }
}

/** Puts a text in the place of a secret file, whole and durable. */
export async function replaceSecretFile(path: string, text: string): Promise<void> {
  const file = await realpath(path)
  await using temporary = await createTemporaryDirectory('key')
  const unfinished = join(dirname(file), `.pgrevive-${randomBytes(12).toString('hex')}`)
  await temporary.claim(unfinished)
  await writeNewFile(unfinished, text)
  await rename(unfinished, file)
  await using directory = await open(dirname(file), 'r')
  await directory.sync()
}

/** Gives a file another name beside its own, the first that is free of `x.key.old`, `x.key.old-2`, …, and returns that. */
export async function keepFile(path: string): Promise<string> {
  const file = await realpath(path)
  for (let count = 1; ; count++) {
    const kept = `${file}.old${count === 1 ? '' : `-${count}`}`
    try {
      await link(file, kept).catch(async (error: unknown) => {
        if (!hasNoLinks(error)) throw error
        await writeNewFile(kept, await readFile(file, 'utf8'))
      })
      return kept
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      if ((await readFile(kept)).equals(await readFile(file))) return kept
    }
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
