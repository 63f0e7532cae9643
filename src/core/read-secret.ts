import { readFile } from 'node:fs/promises'
import { AppError, type ErrorCode } from './app-error.ts'

/** From a variable, or from the first line of the file that the variable with _FILE behind it names. */
export async function readSecret(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  /** Of a file that can not be read. */
  code: ErrorCode,
): Promise<string | undefined> {
  const given = environment[name]
  if (given !== undefined && given !== '') return given
  const file = environment[`${name}_FILE`]
  if (file === undefined || file === '') return undefined
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/, 1)[0] || undefined
  } catch (error) {
    throw new AppError(code, `the file that ${name}_FILE names can not be read`, {
      cause: error,
      hint: 'check the path and its permissions',
    })
  }
}
