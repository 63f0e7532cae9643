import { readFile } from 'node:fs/promises'
import { AppError } from '../../core/app-error.ts'
import { checkKeyword, type ConninfoKeyword } from './conninfo-keywords.ts'
import type { ConninfoSettings } from './conninfo.ts'
import { hasErrno } from '../wire/socket-error.ts'

/**
 * The settings of a service (`[name]`, then `keyword=value` lines) from the first of the files that defines it. Throws
 * `connection-invalid` if none does, or if the file is malformed.
 */
export async function readService(name: string, paths: readonly string[]): Promise<ConninfoSettings> {
  for (const path of paths) {
    const text = await readIfThere(path)
    const settings = text === undefined ? undefined : parseService(text, name, path)
    if (settings) return settings
  }
  throw new AppError('connection-invalid', `service "${name}" is not defined`, {
    hint: `add a section [${name}] to ${paths.map((path) => `"${path}"`).join(' or ')}`,
  })
}

function parseService(text: string, name: string, path: string): ConninfoSettings | undefined {
  let settings: Map<ConninfoKeyword, string> | undefined
  for (const [index, rawLine] of text.split('\n').entries()) {
    const line = rawLine.trim()
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('[')) {
      if (settings) return settings
      if (line === `[${name}]`) settings = new Map()
      continue
    }
    if (!settings) continue
    const [, keyword, value] = /^([^=]+)=(.*)$/.exec(line) ?? []
    if (keyword === undefined || value === undefined || keyword.startsWith('service') || line.startsWith('ldap')) {
      throw new AppError('connection-invalid', `service file "${path}" is malformed in line ${index + 1}`, {
        hint: 'write keyword=value without blanks around "="; nested services and LDAP are not supported',
      })
    }
    const known = checkKeyword(keyword)
    // Like in libpq, the first of several lines for one keyword counts.
    if (known !== undefined && !settings.has(known)) settings.set(known, value)
  }
  return settings
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw new AppError('connection-invalid', `service file "${path}" can not be read`, { cause: error })
  }
}
