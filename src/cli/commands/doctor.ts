import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { inspectStore } from '../../store/probe/inspect-store.ts'
import { probeStore } from '../../store/probe/probe-store.ts'
import { checkDatabases } from '../doctor/check-databases.ts'
import { checkEngine } from '../doctor/check-engine.ts'
import { checkPrograms, checkSettings } from '../doctor/check-host.ts'
import { checkMachine } from '../doctor/check-machine.ts'
import { checkRepository } from '../doctor/check-repository.ts'
import { type HostFinding, failed } from '../doctor/host-finding.ts'
import type { CommandContext } from '../command-context.ts'
import type { RepositorySettings } from '../../config/config.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { findingDocuments, findingTable } from '../terminal/finding-table.ts'
import { formatQuantity } from '../../core/text/format.ts'
import { flag } from '../option-types.ts'
import { printable } from '../../core/text/printable.ts'
import { expected, openStoreAt } from '../repositories/repository-access.ts'
import { requireRepositories } from '../settings/settings.ts'

const doctorOptions = z.strictObject({ store: flag })
export type DoctorOptions = z.output<typeof doctorOptions>

/** What belongs together, under its name. */
interface Section {
  readonly subject: string
  readonly findings: readonly HostFinding[]
}

async function doctor(options: DoctorOptions, context: CommandContext): Promise<Outcome> {
  const settings = await context.settings()
  const sections: Section[] = []
  if (options.store) {
    for (const repository of requireRepositories(settings)) {
      sections.push({ subject: repository.name, findings: await checkStore(repository, context) })
    }
  } else {
    sections.push({ subject: 'settings', findings: checkSettings(settings) })
    for (const repository of settings.repositories) {
      sections.push({ subject: repository.name, findings: await checkRepository(repository, context) })
    }
    const engine = await checkEngine(settings, context)
    if (engine.length > 0) sections.push({ subject: 'containers', findings: engine })
    sections.push({ subject: 'databases', findings: await checkDatabases(settings, context) })
    sections.push({ subject: 'programs', findings: await checkPrograms(context) })
    sections.push({ subject: 'this machine', findings: await checkMachine(context) })
  }
  const wrong = sections.flatMap(({ findings }) => findings.filter(({ verdict }) => verdict === 'bad'))
  const document = {
    safe: wrong.length === 0,
    sections: sections.map(({ subject, findings }) => ({
      subject,
      findings: findingDocuments(findings),
    })),
  }
  const text = sections.map((section) => describe(section, context)).join('\n')
  const [first] = wrong
  return first ? { document, text, failure: failureOf(first, wrong.length) } : { document, text }
}

async function checkStore({ place }: RepositorySettings, context: CommandContext): Promise<readonly HostFinding[]> {
  const { environment, signal } = context
  try {
    const store = await openStoreAt(place, context)
    const inspect = (key: string) => inspectStore(place, key, { environment, signal })
    const findings = await probeStore(store, { signal, inspect })
    return findings.map((finding) => ({ ...finding, remedy: finding.error?.hint }))
  } catch (error) {
    return [failed('store', expected(error, context))]
  }
}

function failureOf({ check, meaning, error, remedy }: HostFinding, count: number): AppError {
  const others = count > 1 ? `, and ${formatQuantity(count - 1, 'other trouble', 'other troubles')}` : ''
  return new AppError('doctor-failed', `${check}: ${meaning}${others}`, {
    cause: error,
    hint: remedy ?? error?.hint ?? 'mend it, and run the same command again',
  })
}

function describe({ subject, findings }: Section, { terminal }: CommandContext): string {
  return `${terminal.colors.strong(printable(subject))}\n${findingTable(findings, terminal)}`
}

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'look whether backups would work here, and be safe',
  description:
    'Looks at the settings, the repositories and how new the backups in them are, containers, databases and the rights there, programs, disks, limits and clocks, and says of each what it means and what mends it. With --store it tries what the stores really do, ' +
    'whether there is a repository yet or not: it writes, lists, reads, overwrites and removes a small object below probe/, asks S3 and Azure for versions and locks, compares the clocks, ' +
    'and says what follows. An object that may not be removed stays; no repository minds it. Ends with the exit code of doctor-failed unless backups would be safe.',
  arguments: [],
  options: [{ flags: '--store', help: 'try what the stores of the repositories do' }],
  examples: [
    { command: 'pgrevive doctor', meaning: 'is everything there that backups need' },
    {
      command: "pgrevive doctor --store --repo 's3://bucket/shop?region=eu-central-1'",
      meaning: 'can this place be trusted with backups',
    },
  ],
  schema: doctorOptions,
  run: doctor,
})
