import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listNotes, type Note } from './backup-notes.ts'
import { checkRepository } from '../check/check-repository.ts'
import { everything } from '../backups/manifest.ts'
import { streamsOf } from '../prune/test-prune.ts'
import { TestRepository } from '../test-repository.ts'

const one = '01JD8Y0000000000000000000A'
const other = '01JD8Y0000000000000000000B'

async function saveAll(test: TestRepository, ...notes: readonly Note[]): Promise<void> {
  for (const note of notes) await test.repository.saveNote(note)
}

describe('notes', () => {
  it('say which backups are pinned and why: the newest counts', async () => {
    await using test = await TestRepository.create()
    await saveAll(
      test,
      { format: 1, backup: one, kind: 'pinned', reason: 'first' },
      { format: 1, backup: other, kind: 'pinned', reason: 'for ever' },
      { format: 1, backup: one, kind: 'unpinned' },
      { format: 1, backup: one, kind: 'pinned', reason: 'second' },
      { format: 1, backup: other, kind: 'unpinned' },
    )
    const { pins } = await listNotes(test.repository)
    assert.deepEqual(
      [...pins].map(([id, { reason }]) => [id, reason]),
      [[one, 'second']],
    )
  })

  it('keep what was acknowledged', async () => {
    await using test = await TestRepository.create()
    await saveAll(test, { format: 1, backup: one, kind: 'acknowledged', database: 'shop', selection: everything })
    const [acknowledged] = (await listNotes(test.repository)).acknowledged
    assert.deepEqual([acknowledged?.backup, acknowledged?.database], [one, 'shop'])
  })

  it('are told when they can not be read, or were written by a later version; check finds the damaged ones', async () => {
    await using test = await TestRepository.create()
    await saveAll(test, { format: 1, backup: one, kind: 'pinned', reason: 'first' })
    await test.repository.saveNote({ format: 1, backup: one, kind: 'framed' })
    const [damaged = '', later = ''] = await test.objects('notes/')
    assert.deepEqual((await listNotes(test.repository)).unreadable, [later])
    await test.flipBit(damaged)
    assert.deepEqual((await listNotes(test.repository)).unreadable, [damaged, later])
    const { damages, checked } = await checkRepository(test.repository, { level: 1, streamsOf })
    assert.equal(checked.notes, 2)
    assert.deepEqual(damages, [{ object: damaged, problem: 'unreadable', backups: [], repairable: false }])
  })
})
