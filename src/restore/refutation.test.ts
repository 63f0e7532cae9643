import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError } from '../core/app-error.ts'
import { refutation, remedyFor } from './refutation.ts'

describe('what to do about a refuted backup', () => {
  it('is a new one only where that helps', () => {
    const damaged = refutation(new AppError('object-damaged', 'packs/ab is damaged')).differences
    assert.equal(damaged[0]?.problem, 'can not be read: packs/ab is damaged')
    assert.match(remedyFor(damaged), /check --level content.*new backup/)
    const refused = refutation(new AppError('restore-failed', 'ACL s.TABLE t: permission denied for schema s'))
    assert.match(remedyFor(refused.differences), /would be refuted as well.*source database/)
    const definition = { object: 'VIEW public.v', problem: 'is defined differently' }
    assert.match(remedyFor([definition]), /definitions do not come back.*source database/)
    assert.match(remedyFor([{ object: 'assertion few', problem: 'failed' }]), /correct the assertion/)
    assert.match(remedyFor([{ object: 'table public.t', problem: 'has other contents' }, definition]), /new backup/)
  })
})
