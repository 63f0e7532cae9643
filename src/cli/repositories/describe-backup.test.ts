import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyComparison } from '../../restore/compare-database.ts'
import { describeProof } from './describe-backup.ts'

describe('a proof in a list', () => {
  it('is one line of modest width, however much a refutation says', () => {
    const now = new Date()
    const proof = (...problems: string[]) => ({
      format: 1 as const,
      backup: 'B',
      tool: 'pgrevive',
      outcome: 'refuted' as const,
      startedAt: now.toISOString(),
      finishedAt: now.toISOString(),
      on: 'a server',
      compared: { ...emptyComparison().compared, assertions: 0 },
      differences: problems.map((problem) => ({ object: 'INDEX i', problem })),
      notes: [],
    })
    assert.equal(describeProof(proof('is refused\nstatement: CREATE INDEX'), now), 'refuted: INDEX i is refused')
    const long = 'x'.repeat(400)
    assert.equal(describeProof(proof(long, long), now), `refuted: INDEX i ${'x'.repeat(51)}…, and 1 more`)
  })
})
