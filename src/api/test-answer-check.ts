import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { z } from 'zod'

const described = z.looseObject({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ responses: z.record(z.string(), z.looseObject({})) })),
  ),
})

/** Compares answers with what the description says of them: status, type, and every field; they are nothing but data. */
export class AnswerCheck {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #validators = new Map<string, ValidateFunction>()
  readonly #paths: z.output<typeof described>['paths']

  constructor(description: object) {
    addFormats.default(this.#ajv)
    this.#ajv.addFormat('ulid', /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
    this.#ajv.addSchema(closed({ ...description, $id: 'api' }) ?? {})
    this.#paths = described.parse(description).paths
  }

  check(
    method: string,
    url: string,
    answer: { status: number; headers: Record<string, unknown>; text: string; body: unknown },
  ): void {
    const [path = ''] = url.split('?')
    if (path.startsWith('/api/')) isData(answer)
    const verb = method.toLowerCase()
    const fitting = Object.keys(this.#paths).filter((one) => isOf(path, one) && this.#paths[one]?.[verb])
    const known = fitting.find((one) => !one.includes('{')) ?? fitting[0]
    const responses = known === undefined ? undefined : this.#paths[known]?.[verb]?.responses
    if (known === undefined || !responses) {
      if (path.startsWith('/api/')) assert.equal(answer.status, 404, `${method} ${path} is not described`)
      return
    }
    const status = String(answer.status) in responses ? String(answer.status) : 'default'
    assert.ok(status in responses, `${method} ${path} answers ${answer.status}, which is not described: ${answer.text}`)
    if (answer.body === undefined) return
    const place = ['paths', known, verb, 'responses', status, 'content', 'application/json', 'schema']
    const validate = this.#validator(`api#/${place.map(pointer).join('/')}`)
    const problems = validate(answer.body) ? [] : (validate.errors ?? [])
    assert.deepEqual(problems, [], `${method} ${path} ${answer.status} is not as described: ${answer.text}`)
  }

  #validator(reference: string): ValidateFunction {
    const known = this.#validators.get(reference) ?? this.#ajv.compile({ $ref: reference })
    this.#validators.set(reference, known)
    return known
  }
}

/** Names of databases, tables and people come from anybody: no browser may take an answer for a page. */
function isData({ status, headers }: { status: number; headers: Record<string, unknown> }): void {
  const { 'content-type': type, 'x-content-type-options': sniffing, 'content-security-policy': policy } = headers
  assert.match(String(type), status === 302 ? /^undefined$/ : /^application\/json/)
  assert.equal(sniffing, 'nosniff')
  assert.equal(policy, "default-src 'none'; frame-ancestors 'none'")
}

/** An answer with a field that nobody described would not be found otherwise; it may be one that nobody should see. */
function closed(node: unknown): object | undefined {
  return z.looseObject({}).parse(walk(node, false))
}

function walk(node: unknown, isPart: boolean): unknown {
  if (Array.isArray(node)) return node.map((one) => walk(one, isPart))
  if (typeof node !== 'object' || node === null) return node
  const entries = Object.entries(node).map(([key, value]) => [key, walk(value, key === 'allOf')])
  const copy: Record<string, unknown> = Object.fromEntries(entries)
  const isSchema = copy['type'] === 'object' && 'properties' in copy && !('additionalProperties' in copy)
  if (isSchema && !isPart) copy['unevaluatedProperties'] = false
  return copy
}

function isOf(path: string, template: string): boolean {
  const parts = template.split('/')
  const given = path.split('/')
  return given.length === parts.length && parts.every((part, index) => part.startsWith('{') || part === given[index])
}

function pointer(text: string): string {
  return encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'))
}
