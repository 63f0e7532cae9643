import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { AppError } from '../../core/app-error.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'

/**
 * The environment with what a file of NAME=value lines sets; undefined reads none. A value is data: nothing in it is
 * expanded, and `$`, `\`, `&` and blanks are themselves. Blanks around a line are dropped, then one pair of quotes around the
 * value. Empty lines, and those that begin with `#` or `;`, are passed over. Throws `usage-invalid`, without what is in it.
 */
export async function withEnvironmentFile(
  file: string | undefined,
  {
    inherited,
    currentDirectory,
    setVariables,
  }: {
    readonly inherited: Environment
    readonly currentDirectory: string
    readonly setVariables: (variables: Environment) => void
  },
): Promise<Environment> {
  if (file === undefined) return inherited
  const path = resolve(currentDirectory, file)
  const variables = parseEnvironmentFile(await readText(path), path)
  setVariables(variables)
  return Object.freeze({ ...inherited, ...variables })
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new AppError('usage-invalid', `${path}, which --environment-file names, can not be read`, {
      cause: error,
      hint: 'check the path, and that the user who runs pgrevive may read it',
    })
  }
}

export function parseEnvironmentFile(text: string, path: string): Record<string, string> {
  const pairs = text.split('\n').flatMap((raw, index): (readonly [string, string])[] => {
    const line = raw.trim()
    if (/^([#;]|$)/.test(line)) return []
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/.exec(line) ?? []
    if (name === undefined || value === undefined || value.includes('\0')) {
      throw new AppError('usage-invalid', `line ${index + 1} of ${path} is not NAME=value`, {
        hint: 'write one variable a line, without "export"; lines that begin with # are remarks',
      })
    }
    return [[name, value.replace(/^(["'])(.*)\1$/, '$2')]]
  })
  return Object.fromEntries(pairs)
}
