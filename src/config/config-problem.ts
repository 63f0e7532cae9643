import type { z } from 'zod'
import { type Document, type LineCounter, isMap, isNode, isScalar, isSeq, visit } from 'yaml'
import { printable } from '../core/text/printable.ts'
import { nearestWord } from '../core/text/suggestion.ts'
import { knownKeys } from './config-schema.ts'

type Path = readonly PropertyKey[]

/** Something wrong in pgrevive.yaml: where, and what. */
export interface ConfigProblem {
  readonly path: Path
  readonly message: string
}

/** Zod's issues, which must report their input, in words of the file; a union is blamed on the alternative that was meant. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], above: Path = []): ConfigProblem[] {
  return issues.flatMap((issue): ConfigProblem[] => {
    const path = [...above, ...issue.path]
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key))
    if (issue.code === 'invalid_union' && 'options' in issue) {
      const options = issue.options?.map(String).join(', ')
      return [{ path, message: `${label(path)} must be one of ${options}` }]
    }
    if (issue.code === 'invalid_union') {
      const meant = issue.errors.find((errors) => !errors.some(isWrongKind))
      return meant ? problemsOf(meant, path) : [{ path, message: `${label(path)} must be text or a mapping` }]
    }
    if (issue.code === 'invalid_key') {
      return issue.issues.map(({ message }) => ({
        path,
        message: `the name "${printable(String(path.at(-1)))}" ${message}`,
      }))
    }
    if (issue.code === 'invalid_type' && issue.input === undefined) {
      return [{ path, message: `${label(path)} must be given` }]
    }
    return [{ path, message: `${label(path)}: ${lowerFirst(issue.message.replace(/^Invalid input: /, ''))}` }]
  })
}

const mostLevels = 100

/** Keys that are there twice, and what is nested too deeply to be walked through. */
export function structureProblems(document: Document): { readonly offset: number; readonly message: string }[] {
  const problems: { offset: number; message: string }[] = []
  visit(document, {
    Collection(_, node, above) {
      if (above.length > mostLevels) {
        problems.push({ offset: offsetOf(node) ?? 0, message: 'This is nested too deeply' })
        return visit.BREAK
      }
      const seen = new Set<string>()
      for (const { key } of isMap(node) ? node.items : []) {
        if (!isScalar(key)) continue
        const name = String(key.value)
        if (seen.has(name)) problems.push({ offset: offsetOf(key) ?? 0, message: 'Map keys must be unique' })
        seen.add(name)
      }
      return undefined
    },
  })
  return problems
}

/** The line (from 1) that a path points to, or the nearest one above it that exists. */
export function lineOf(path: Path, document: Document, lines: LineCounter): number {
  let offset = 0
  let node: unknown = document.contents
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      if (!pair) break
      offset = offsetOf(pair.key) ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      offset = offsetOf(node) ?? offset
    }
  }
  return lines.linePos(offset).line
}

function unknownKey(path: Path, key: string): ConfigProblem {
  const near = nearestWord(key, knownKeys(path))
  const place = path.length === 0 ? '' : ` in ${label(path)}`
  const message = `unknown key "${printable(key)}"${place}`
  // of another kind of the same thing
  return {
    path: [...path, key],
    message: near === undefined || near === key ? message : `${message}; did you mean "${near}"?`,
  }
}

function isWrongKind(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.path.length === 0
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

function label(path: Path): string {
  return path.length === 0 ? 'the file' : printable(path.map(String).join('.'))
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
