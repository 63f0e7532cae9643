import { readFile } from 'node:fs/promises'
import { AppError } from '../../../core/app-error.ts'
import type { TextSource } from '../../../config/config-secret.ts'
import type { Environment } from '../../../postgres/target/connection-target.ts'

/** What a channel needs and pgrevive.yaml only names. Rejects with `config-invalid`. */
export async function readText(source: TextSource, environment: Environment): Promise<string> {
  if (source.kind === 'text') return source.text
  if (source.kind === 'variable') {
    const value = environment[source.name]
    if (value !== undefined && value !== '') return value
    throw new AppError('config-invalid', `the environment has no variable ${source.name}`, {
      hint: 'set it for the service, and start that again',
    })
  }
  const text = await readFile(source.path, 'utf8').catch((cause: unknown) => {
    throw new AppError('config-invalid', `the file "${source.path}" can not be read`, { cause })
  })
  const [line = ''] = text.split(/\r?\n/, 1)
  if (line !== '') return line
  throw new AppError('config-invalid', `the file "${source.path}" has an empty first line`)
}
