import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everything } from '../backups/manifest.ts'
import { decideRetention, hasRules, type RetainedBackup, type RetentionPolicy } from './retention.ts'

const dayMs = 24 * 3600 * 1000
const now = new Date('2026-11-22T12:00:00Z')

function backup(id: string, takenAt: string, more: Partial<RetainedBackup> = {}): RetainedBackup {
  return {
    id,
    database: 'shop',
    selection: everything,
    takenAt: new Date(takenAt),
    isUnverified: false,
    proof: undefined,
    pin: undefined,
    ...more,
  }
}

/** Ids of what is kept, the newest first. */
function kept(backups: readonly RetainedBackup[], policy: RetentionPolicy): string[] {
  return decideRetention(backups, { policyOf: () => policy, now }).flatMap(({ keep, backup }) =>
    keep ? [backup.id] : [],
  )
}

function reasonsOf(id: string, backups: readonly RetainedBackup[], policy: RetentionPolicy): readonly string[] {
  const decisions = decideRetention(backups, { policyOf: () => policy, now })
  return decisions.find(({ backup }) => backup.id === id)?.reasons ?? []
}

const daily = Array.from({ length: 30 }, (_, age) =>
  backup(`day-${String(age).padStart(2, '0')}`, new Date(now.getTime() - age * dayMs).toISOString()),
)

describe('a retention policy', () => {
  it('keeps the last N', () => {
    assert.deepEqual(kept(daily, { keepLast: 3 }), ['day-00', 'day-01', 'day-02'])
  })

  it('keeps what is at most so much older than the newest, to the moment', () => {
    const young = kept(daily, { keepWithinMs: 2 * dayMs })
    assert.deepEqual(young, ['day-00', 'day-01', 'day-02'])
    assert.deepEqual(kept(daily, { keepWithinMs: 2 * dayMs - 1 }), ['day-00', 'day-01'])
  })

  it('keeps the young ones, too, when a clock was wrong: that of the last backup, or that of now', () => {
    const ahead = backup('ahead', '2036-01-01T00:00:00Z')
    assert.deepEqual(kept([...daily, ahead], { keepWithinMs: dayMs }), ['ahead', 'day-00', 'day-01'])
    const later = { policyOf: () => ({ keepWithinMs: dayMs }), now: ahead.takenAt }
    assert.equal(decideRetention(daily, later).filter(({ keep }) => keep).length, 2)
  })

  it('keeps the newest one of each hour, day, week, month and year', () => {
    const backups = [
      backup('a', '2026-01-01T00:00:00Z'),
      backup('b', '2026-01-01T00:59:59Z'),
      backup('c', '2026-01-01T01:00:00Z'),
      backup('d', '2026-01-02T00:00:00Z'),
      backup('e', '2026-02-01T00:00:00Z'),
      backup('f', '2027-01-01T00:00:00Z'),
    ]
    assert.deepEqual(kept(backups, { keepHourly: 99 }), ['f', 'e', 'd', 'c', 'b'])
    assert.deepEqual(kept(backups, { keepDaily: 99 }), ['f', 'e', 'd', 'c'])
    assert.deepEqual(kept(backups, { keepMonthly: 99 }), ['f', 'e', 'd'])
    assert.deepEqual(kept(backups, { keepYearly: 99 }), ['f', 'e'])
    assert.deepEqual(kept(backups, { keepMonthly: 2 }), ['f', 'e'])
  })

  it('counts weeks from Monday, and gives the days around New Year to one of them', () => {
    const backups = [
      backup('sunday', '2026-12-27T23:59:59Z'),
      backup('monday', '2026-12-28T00:00:00Z'),
      backup('friday', '2027-01-01T12:00:00Z'),
      backup('last day', '2027-01-03T23:59:59Z'),
      backup('next monday', '2027-01-04T00:00:00Z'),
    ]
    assert.deepEqual(kept(backups, { keepWeekly: 9 }), ['next monday', 'last day', 'sunday'])
    assert.match(reasonsOf('last day', backups, { keepWeekly: 9 })[0] ?? '', /^weekly 2 of 9 \(2026-W53\)$/)
  })

  it('counts only periods that have a backup', () => {
    const backups = [backup('old', '2020-05-05T05:05:05Z'), backup('new', '2026-11-22T00:00:00Z')]
    assert.deepEqual(kept(backups, { keepDaily: 2 }), ['new', 'old'])
  })

  it('says every reason for which it keeps one', () => {
    assert.deepEqual(reasonsOf('day-00', daily, { keepLast: 2, keepDaily: 7, keepMonthly: 1 }), [
      'newest whole one',
      'minimum',
      'last 1 of 2',
      'daily 1 of 7 (2026-11-22)',
      'monthly 1 of 1 (2026-11)',
    ])
    assert.deepEqual(reasonsOf('day-20', daily, { keepLast: 2 }), ['no rule keeps it'])
  })

  it('goes by the whole name of a database', () => {
    const backups = [
      backup('1', '2026-01-01T00:00:00Z', { database: 'shop' }),
      backup('2', '2026-01-02T00:00:00Z', { database: 'shop_old' }),
      backup('3', '2026-01-03T00:00:00Z', { database: 'Shop' }),
      backup('4', '2026-01-04T00:00:00Z', { database: 'shop' }),
    ]
    assert.deepEqual(kept(backups, { keepLast: 1 }), ['4', '3', '2'])
    const policyOf = (database: string) => (database === 'shop' ? { keepLast: 1 } : undefined)
    const onlyShop = decideRetention(backups, { policyOf, now })
    assert.deepEqual(
      onlyShop.map(({ backup, reasons }) => [backup.id, reasons.at(-1)]),
      [
        ['4', 'last 1 of 1'],
        ['3', 'no policy'],
        ['2', 'no policy'],
        ['1', 'no rule keeps it'],
      ],
    )
  })

  it('keeps all where it has no rule', () => {
    assert.equal(kept(daily, {}).length, 30)
    assert.equal(kept(daily, { keepLast: 0, minimum: 5 }).length, 30)
    assert.deepEqual(
      [hasRules({}), hasRules({ minimum: 3 }), hasRules({ keepDaily: 0 }), hasRules({ keepYearly: 1 })],
      [false, false, false, true],
    )
  })

  it('does not depend on the order in which backups are told', () => {
    const policy = { keepLast: 2, keepDaily: 4, keepWeekly: 3, minimum: 2 }
    assert.deepEqual(kept(daily.toReversed(), policy), kept(daily, policy))
  })
})

describe('no policy forgets', () => {
  const old = { keepWithinMs: 1 }

  it('the newest whole backup, not even when newer ones leave something out', () => {
    const part = { selection: { ...everything, tables: ['orders'] } }
    const backups = [
      backup('older', '2026-01-01T00:00:00Z'),
      backup('whole', '2026-01-02T00:00:00Z'),
      backup('part', '2026-01-03T00:00:00Z', part),
      backup('newest part', '2026-01-04T00:00:00Z', part),
    ]
    assert.deepEqual(kept(backups, old), ['newest part', 'whole'])
  })

  it('the newest backup of a database that has no whole ones', () => {
    const part = { selection: { ...everything, excludeTableData: ['audit'] } }
    const backups = [backup('1', '2026-01-01T00:00:00Z', part), backup('2', '2026-01-02T00:00:00Z', part)]
    assert.deepEqual(kept(backups, old), ['2'])
  })

  it('the newest proven one', () => {
    const backups = [
      backup('older', '2026-01-01T00:00:00Z', { proof: 'proven' }),
      backup('proven', '2026-01-02T00:00:00Z', { proof: 'proven' }),
      backup('refuted', '2026-01-03T00:00:00Z', { proof: 'refuted' }),
      backup('unproven', '2026-01-04T00:00:00Z'),
    ]
    assert.deepEqual(kept(backups, old), ['unproven', 'refuted', 'proven'])
  })

  it('the newest whole one that is not refuted', () => {
    const backups = [
      backup('good', '2026-01-02T00:00:00Z'),
      backup('refuted', '2026-01-03T00:00:00Z', { proof: 'refuted' }),
    ]
    assert.deepEqual(kept(backups, { ...old, minimum: 1 }), ['refuted', 'good'])
  })

  it('what is pinned, and says why it is', () => {
    const backups = [backup('1', '2020-01-01T00:00:00Z', { pin: 'the audit' }), backup('2', '2026-01-02T00:00:00Z')]
    assert.deepEqual(kept(backups, old), ['2', '1'])
    assert.deepEqual(reasonsOf('1', backups, old), ['pinned: the audit'])
  })

  it('the last ones down to the minimum', () => {
    assert.deepEqual(kept(daily, { keepWithinMs: 1, minimum: 3 }), ['day-00', 'day-01', 'day-02'])
  })

  it('what nobody knows the age of, such as after a copy that lost the times; and that takes no place', () => {
    const copied = daily.map((one) => ({ ...one, takenAt: now, isUnverified: true }))
    assert.equal(kept(copied, { keepDaily: 7 }).length, 30)
    const mixed = [...daily.slice(0, 3), backup('copy', now.toISOString(), { isUnverified: true })]
    assert.deepEqual(kept(mixed, { keepLast: 2 }), ['day-00', 'copy', 'day-01'])
  })
})

describe('backups compete for places', () => {
  it('only with those that leave out the same', () => {
    const orders = { selection: { ...everything, tables: ['orders'] } }
    const backups = [
      backup('night 1', '2026-01-01T02:00:00Z'),
      backup('noon 1', '2026-01-01T12:00:00Z', orders),
      backup('night 2', '2026-01-02T02:00:00Z'),
      backup('noon 2', '2026-01-02T12:00:00Z', orders),
      backup('night 3', '2026-01-03T02:00:00Z'),
      backup('noon 3', '2026-01-03T12:00:00Z', orders),
    ]
    assert.deepEqual(kept(backups, { keepDaily: 2 }), ['noon 3', 'night 3', 'noon 2', 'night 2'])
  })

  it('and refuted ones only among themselves: they push out nothing that may be good', () => {
    const bad = { proof: 'refuted' as const }
    const backups = [
      backup('good 1', '2026-01-01T00:00:00Z'),
      backup('good 2', '2026-01-02T00:00:00Z'),
      ...[3, 4, 5].map((day) => backup(`bad ${day}`, `2026-01-0${day}T00:00:00Z`, bad)),
    ]
    assert.deepEqual(kept(backups, { keepLast: 2 }), ['bad 5', 'bad 4', 'good 2', 'good 1'])
  })
})

describe('a year of nightly backups, each followed by the policy', () => {
  it('leaves exactly what the policy says, every night', () => {
    const policy = { keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 3 }
    let backups: RetainedBackup[] = []
    const first = Date.parse('2026-01-01T02:00:00Z')
    for (let night = 0; night < 365; night++) {
      const at = new Date(first + night * dayMs)
      backups.push(backup(String(night).padStart(3, '0'), at.toISOString()))
      const ids = kept(backups, policy)
      backups = backups.filter(({ id }) => ids.includes(id))
      assert.ok(ids.includes(String(night).padStart(3, '0')), 'the newest stays')
      assert.ok(ids.length <= 7 + 4 + 12 + 3)
    }
    const days = backups.map(({ takenAt }) => takenAt.toISOString().slice(0, 10))
    // seven days; Sundays; last days of months; the newest of the year is there already
    const expected =
      '01-31 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-13 12-20 12-25 12-26 12-27 12-28 12-29 12-30 12-31'
    assert.equal(days.map((day) => day.slice(5)).join(' '), expected)
  })

  it('lets imported backups compete by the time of their dumps, and never with our own', () => {
    const imported = daily.map((own) => ({
      ...own,
      id: `dump-${own.id}`,
      takenAt: new Date(+own.takenAt + 3_600_000),
      isImported: true,
    }))
    const ids = kept([...daily, ...imported], { keepDaily: 2 })
    assert.deepEqual(ids.toSorted(), ['day-00', 'day-01', 'dump-day-00', 'dump-day-01'])
  })

  it('gives copies the places of days that have no other backup, and never one of our own', () => {
    const lost = daily.filter(({ id }) => id !== 'day-01')
    const copies = daily.map((own) => ({
      ...own,
      id: `copy-${own.id}`,
      takenAt: new Date(+own.takenAt + 3_600_000),
      isCopied: true,
    }))
    const ids = kept([...lost, ...copies.filter(({ id }) => id === 'copy-day-01')], { keepDaily: 3 })
    assert.deepEqual(ids.toSorted(), ['copy-day-01', 'day-00', 'day-02', 'day-03'])
    // whatever copies say of their age, what was backed up here stays
    assert.deepEqual(
      kept([...daily, ...copies], { keepDaily: 3 }).filter((id) => id.startsWith('day-')),
      kept(daily, { keepDaily: 3 }),
    )
  })
})
