import type { Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { AppError } from '../core/app-error.ts'
import { shellWord } from '../core/text/shell-word.ts'

export interface ConfigFileText {
  readonly text: string
  /** Of the very file that was read. */
  readonly stats: Stats
}

export async function readConfigFile(file: string): Promise<ConfigFileText> {
  try {
    await using handle = await open(file)
    return { text: await handle.readFile('utf8'), stats: await handle.stat() }
  } catch (cause) {
    throw new AppError('config-invalid', `the configuration "${file}" can not be read`, { cause })
  }
}

/** Whoever can write the file can have this user run any program. */
export function refuseForeign(file: string, { mode, uid }: Stats): void {
  const me = process.geteuid?.()
  if (me === undefined) return // a system without modes
  if ((mode & 0o022) === 0 && (uid === me || uid === 0)) return
  throw new AppError('config-invalid', `"${file}" names programs to run, and can be changed by others than you`, {
    hint: `"chown ${me} ${shellWord(file)}; chmod go-w ${shellWord(file)}"; first look at what its hooks and pg_dump run`,
  })
}
