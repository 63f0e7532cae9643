import { z } from 'zod'
import type { ConfigProblem } from './config-problem.ts'

/** Where a secret comes from; it is read each time that it is needed. */
export type SecretSource =
  | { readonly kind: 'variable'; readonly name: string }
  /** Its first line. */
  | { readonly kind: 'file'; readonly path: string }
/** What may be a secret: some URLs are, others are not. */
export type TextSource = SecretSource | { readonly kind: 'text'; readonly text: string }

const name = z.string().min(1)

export function secretVariable(what: string) {
  return name.describe(`The environment variable that holds ${what}`).optional()
}

export function secretFile(what: string) {
  return name.describe(`A file whose first line is ${what}`).optional()
}

/** What the resolver of pgrevive.yaml does for its parts. */
export interface PartResolver {
  readonly problems: ConfigProblem[]
  /** `${NAME}` from the environment; noted as a problem where that lacks it. */
  expand(text: string, path: readonly string[]): string
  /** Absolute. */
  path(text: string, path: readonly string[]): string
}

/** Of `KEY_env` and `KEY_file`, at most one of which may be given. */
export function resolveSecret(
  key: string,
  entry: object,
  path: readonly string[],
  resolver: PartResolver,
): SecretSource | undefined {
  const [variable, file] = [textOf(entry, `${key}_env`), textOf(entry, `${key}_file`)]
  if (variable !== undefined && file !== undefined) {
    resolver.problems.push({
      path: [...path, `${key}_file`],
      message: `${key}_env and ${key}_file exclude each other`,
    })
  }
  if (variable !== undefined) return { kind: 'variable', name: variable }
  return file === undefined ? undefined : { kind: 'file', path: resolver.path(file, [...path, `${key}_file`]) }
}

/** Of `KEY`, `KEY_env` and `KEY_file`. */
export function resolveText(
  key: string,
  entry: object,
  path: readonly string[],
  resolver: PartResolver,
): TextSource | undefined {
  const secret = resolveSecret(key, entry, path, resolver)
  const text = textOf(entry, key)
  if (text === undefined) return secret
  if (secret) {
    resolver.problems.push({ path: [...path, key], message: `${key} and ${key}_env or ${key}_file exclude each other` })
  }
  return { kind: 'text', text: resolver.expand(text, [...path, key]) }
}

function textOf(entry: object, key: string): string | undefined {
  const value: unknown = Reflect.get(entry, key)
  return typeof value === 'string' ? value : undefined
}
