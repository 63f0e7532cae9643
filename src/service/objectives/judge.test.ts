import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Objectives } from '../../shapes/database.ts'
import { type BackupFact, type Facts, judge } from './judge.ts'

const now = new Date('2026-11-23T12:00:00Z')
const hour = 3600 * 1000
const day = 24 * hour
const demanded: Objectives = { rpo: day, proveEvery: 7 * day, restoreWithin: null }

function ago(ms: number): Date {
  return new Date(now.getTime() - ms)
}

type Proof = BackupFact['proof']

function proven(ms: number, tookMs = 1000): Proof {
  return { outcome: 'proven', at: ago(ms), tookMs }
}

function refuted(ms: number): Proof {
  return { outcome: 'refuted', at: ago(ms), tookMs: 1000 }
}

function taken(ageMs: number, proof: Proof = null, changes: Partial<BackupFact> = {}): BackupFact {
  return { id: `B${ageMs}`, snapshotAt: ago(ageMs), isWhole: true, repositories: ['local'], proof, ...changes }
}

const healthy = [taken(hour), taken(25 * hour, proven(day))]
const both = ['local', 'offsite']
const inBoth = healthy.map((backup) => ({ ...backup, repositories: both }))
const quiet: Facts = {
  database: 'shop',
  isKnown: true,
  backups: healthy,
  repositories: ['local'],
  away: [],
  lastBackupRun: undefined,
  isBackingUp: false,
  isProving: false,
  nextBackup: undefined,
  nextProof: undefined,
}

/** When; the facts and objectives that differ from the usual; the state, `objective state` of each reason, and to when it can be restored. */
type Case = [string, Partial<Facts> & { demands?: Partial<Objectives> }, string[], (Date | null)?]

const late = 'rpo failing'
const unproven = 'prove-every failing'
const cases: Case[] = [
  ['nothing was looked at yet', { isKnown: false }, ['unknown'], null],
  ['all is well', {}, ['ok'], ago(25 * hour)],
  ['it was never backed up', { backups: [] }, ['failing', late], null],
  ['its first backup is being made', { backups: [], isBackingUp: true }, ['at-risk', 'rpo at-risk']],
  ['nothing is demanded', { backups: [], demands: { rpo: null, proveEvery: null } }, ['ok']],

  ['the newest is as old as it may be', { backups: [taken(day, proven(hour))] }, ['ok']],
  ['the newest is a millisecond older', { backups: [taken(day + 1, proven(hour))] }, ['failing', late]],
  ['it is, and one is being made', { backups: [taken(26 * hour, proven(hour))], isBackingUp: true }, ['ok']],
  [
    'it is a tenth too old, and one is being made',
    { backups: [taken(1.1 * day, proven(hour))], isBackingUp: true },
    ['ok'],
  ],
  ['it is older than that', { backups: [taken(1.1 * day + 1, proven(hour))], isBackingUp: true }, ['failing', late]],
  [
    'it is late, and the next due in time',
    { backups: [taken(25 * hour, proven(hour))], nextBackup: ago(-hour) },
    ['ok'],
  ],
  [
    'it is late, and so is the next',
    { backups: [taken(25 * hour, proven(hour))], nextBackup: ago(-2 * hour) },
    ['failing', late],
  ],
  ['the next comes a tenth too late', { backups: [taken(0, proven(0))], nextBackup: ago(-1.1 * day) }, ['ok']],
  [
    'the next comes later than that',
    { backups: [taken(0, proven(0))], nextBackup: ago(-1.1 * day - 1) },
    ['at-risk', 'rpo at-risk'],
  ],
  [
    'the new one is partial',
    { backups: [taken(hour, null, { isWhole: false }), taken(2 * day, proven(hour))] },
    ['failing', late],
    ago(2 * day),
  ],
  [
    'the new one is refuted',
    { backups: [taken(hour, refuted(1)), taken(2 * day, proven(hour))] },
    ['failing', late, unproven],
    ago(2 * day),
  ],
  [
    'only a partial one is proven',
    { backups: [taken(hour, proven(1), { isWhole: false }), taken(2 * hour)] },
    ['ok'],
    null,
  ],
  ['one is from the future, of a wrong clock', { backups: [taken(-hour, proven(hour))] }, ['ok'], ago(-hour)],

  ['none is proven in the first days', { backups: [taken(hour)] }, ['at-risk', 'prove-every at-risk'], null],
  ['none is proven in all of the time', { backups: [taken(hour), taken(7 * day)] }, ['at-risk', 'prove-every at-risk']],
  ['none is proven in a longer time', { backups: [taken(hour), taken(7 * day + 1)] }, ['failing', unproven]],
  [
    'the last proof is as old as it may be',
    { backups: [taken(hour), taken(8 * day, proven(7 * day))] },
    ['ok'],
    ago(8 * day),
  ],
  [
    'the last proof is older',
    { backups: [taken(hour), taken(8 * day, proven(7 * day + 1))] },
    ['failing', unproven],
    ago(8 * day),
  ],
  [
    'it is, and the next at work',
    { backups: [taken(hour), taken(8 * day, proven(7.5 * day))], isProving: true },
    ['ok'],
  ],
  [
    'it is, and the next due in time',
    { backups: [taken(hour), taken(8 * day, proven(7.5 * day))], nextProof: ago(-hour) },
    ['ok'],
  ],
  [
    'the newest proof refutes',
    { backups: [taken(hour), taken(2 * hour, refuted(hour)), taken(day, proven(day))] },
    ['failing', unproven],
    ago(day),
  ],
  [
    'a newer one than the refuted is proven',
    { backups: [taken(hour, proven(1)), taken(2 * hour, refuted(hour))] },
    ['ok'],
    ago(hour),
  ],
  [
    'an older one is proven after that',
    { backups: [taken(hour), taken(2 * hour, refuted(hour)), taken(day, proven(1))] },
    ['ok'],
    ago(day),
  ],
  [
    'one is refuted, and proofs are not demanded',
    { backups: [taken(2 * hour), taken(3 * hour, refuted(hour))], demands: { proveEvery: null } },
    ['failing', unproven],
  ],

  [
    'a restore takes four fifths',
    { backups: [taken(hour, proven(1, 0.8 * hour))], demands: { restoreWithin: hour } },
    ['ok'],
  ],
  [
    'a restore takes more',
    { backups: [taken(hour, proven(1, 0.8 * hour + 1))], demands: { restoreWithin: hour } },
    ['at-risk', 'restore-within at-risk'],
  ],
  [
    'a restore takes all of the time',
    { backups: [taken(hour, proven(1, hour))], demands: { restoreWithin: hour } },
    ['at-risk', 'restore-within at-risk'],
  ],
  [
    'a restore takes longer',
    { backups: [taken(hour, proven(1, hour + 1))], demands: { restoreWithin: hour } },
    ['failing', 'restore-within failing'],
  ],

  [
    'the newest run failed',
    { lastBackupRun: { failed: true, error: 'no route to host' } },
    ['at-risk', 'runs at-risk'],
  ],
  ['the newest run was done', { lastBackupRun: { failed: false, error: null } }, ['ok']],
  ['a repository lacks the newest', { repositories: ['local', 'offsite'] }, ['at-risk', 'repositories at-risk']],
  ['one lacks it, and it is being made', { repositories: ['local', 'offsite'], isBackingUp: true }, ['ok']],
  ['the only repository is away', { away: ['local'] }, ['failing', 'repositories failing'], null],
  [
    'nothing is proven, and the only repository is away',
    { backups: [taken(hour)], away: ['local'] },
    ['failing', 'repositories failing', 'prove-every at-risk'],
    null,
  ],
  ['nothing was ever backed up, and the repository is away', { backups: [], away: ['local'] }, ['failing', late]],
  [
    'one repository is away, and another holds the proven one',
    { backups: inBoth, repositories: both, away: ['local'] },
    ['ok'],
    ago(25 * hour),
  ],
  [
    'both repositories are away',
    { backups: inBoth, repositories: both, away: both },
    ['failing', 'repositories failing'],
    null,
  ],
  [
    'the newest proven one is where nobody can reach it, and an older one elsewhere',
    {
      backups: [taken(hour, proven(1)), taken(2 * day, proven(day), { repositories: both })],
      repositories: both,
      away: ['local'],
    },
    ['at-risk', 'repositories at-risk'],
    ago(2 * day),
  ],
  [
    'those that can be reached are not proven, and the proven one can not',
    {
      backups: [taken(hour, null, { repositories: both }), taken(day, proven(1))],
      repositories: both,
      away: ['local'],
    },
    ['failing', 'repositories failing'],
    null,
  ],
  [
    'all goes wrong at once, the worst first',
    { backups: [taken(8 * day)], repositories: ['offsite'], lastBackupRun: { failed: true, error: null } },
    ['failing', late, unproven, 'runs at-risk', 'repositories at-risk'],
  ],
]

describe('a database', () => {
  for (const [when, { demands, ...facts }, [state, ...reasons], restorableTo] of cases) {
    it(`is ${state} when ${when}`, () => {
      const judged = judge({ ...quiet, ...facts }, { ...demanded, ...demands }, now)
      const found = judged.reasons.map((reason) => `${reason.objective} ${reason.state}`)
      assert.deepEqual([judged.state, ...found], [state, ...reasons])
      if (restorableTo !== undefined) assert.deepEqual(judged.restorableTo, restorableTo)
    })
  }

  it('is told what is wrong, and what to do', () => {
    const [reason] = judge({ ...quiet, backups: [taken(2 * day, proven(hour))] }, demanded, now).reasons
    assert.deepEqual(reason, {
      objective: 'rpo',
      state: 'failing',
      text: 'the newest backup was taken 2 days ago, and may be 1 d old',
      remedy: 'pgrevive backup shop',
    })
  })
})
