import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError } from '../../core/app-error.ts'
import { PostgresError, translatePostgresError } from '../../postgres/wire/postgres-error.ts'
import { createPalette } from './color.ts'
import { errorDocument, errorText } from './error-text.ts'

const colors = createPalette({ colored: false })
const refusal = new PostgresError({
  severity: 'ERROR',
  sqlState: '23505',
  message: 'could not create unique index "a\u001b[2J"',
  detail: 'Key (id)=(1) is duplicated.',
  where: 'SQL function "f" statement 1\nparallel worker',
})

describe('an error as text', () => {
  it('says what, why and what next, with control characters escaped', () => {
    const error = new AppError('restore-failed', 'index public.a was refused', {
      cause: refusal,
      hint: 'look at the rows',
    })
    assert.equal(
      errorText(error, colors),
      `error [restore-failed]: index public.a was refused
  cause: could not create unique index "a\\x1b[2J"
  DETAIL: Key (id)=(1) is duplicated.
  CONTEXT: SQL function "f" statement 1
  parallel worker
hint: look at the rows
`,
    )
  })

  it('does not say twice what the server said', () => {
    const error = translatePostgresError(refusal, 'use')
    assert.equal(errorText(error, colors).split('could not create').length, 2)
  })

  it('hides passwords', () => {
    const error = new AppError('usage-invalid', 'unknown "postgress://ann:secret@h/x"')
    assert.doesNotMatch(errorText(error, colors) + JSON.stringify(errorDocument(error)), /secret/)
  })

  it('calls the unexpected a bug and keeps its stack', () => {
    assert.match(errorText(new TypeError('x is not a function'), colors), /^bug: TypeError: x is not a function\n +at /)
    assert.deepEqual(errorDocument('text'), { code: 'bug', message: 'text' })
  })
})

describe('an error as a document', () => {
  it('carries code, message, hint and what the server said', () => {
    const document = errorDocument(new AppError('query-failed', 'no', { hint: 'try', cause: refusal }))
    assert.deepEqual(JSON.parse(JSON.stringify(document)), {
      code: 'query-failed',
      message: 'no',
      hint: 'try',
      postgres: {
        severity: 'ERROR',
        sqlState: '23505',
        message: refusal.message,
        detail: refusal.detail,
        where: refusal.where,
      },
    })
  })
})
