import type { Command } from './define-command.ts'

/** Every command, in the order in which a newcomer needs them. Loaded only when needed: one has no use for the others. */
const commandLoaders: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
  init: async () => (await import('./commands/init.ts')).initCommand,
  backup: async () => (await import('./commands/backup.ts')).backupCommand,
  import: async () => (await import('./commands/import.ts')).importCommand,
  list: async () => (await import('./commands/list.ts')).listCommand,
  show: async () => (await import('./commands/show.ts')).showCommand,
  'show config': async () => (await import('./commands/show-config.ts')).showConfigCommand,
  rows: async () => (await import('./commands/rows.ts')).rowsCommand,
  'show database': async () => (await import('./commands/show-database.ts')).showDatabaseCommand,
  restore: async () => (await import('./commands/restore.ts')).restoreCommand,
  recover: async () => (await import('./commands/recover.ts')).recoverCommand,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  refresh: async () => (await import('./commands/refresh.ts')).refreshCommand,
  prove: async () => (await import('./commands/prove.ts')).proveCommand,
  diff: async () => (await import('./commands/diff.ts')).diffCommand,
  copy: async () => (await import('./commands/copy.ts')).copyCommand,
  sync: async () => (await import('./commands/sync.ts')).syncCommand,
  forget: async () => (await import('./commands/forget.ts')).forgetCommand,
  prune: async () => (await import('./commands/prune.ts')).pruneCommand,
  pin: async () => (await import('./commands/pin.ts')).pinCommand,
  unpin: async () => (await import('./commands/pin.ts')).unpinCommand,
  acknowledge: async () => (await import('./commands/acknowledge.ts')).acknowledgeCommand,
  'key list': async () => (await import('./commands/key-list.ts')).keyListCommand,
  'key add': async () => (await import('./commands/key-add.ts')).keyAddCommand,
  'key remove': async () => (await import('./commands/key-remove.ts')).keyRemoveCommand,
  'key rotate': async () => (await import('./commands/key-rotate.ts')).keyRotateCommand,
  'key kit': async () => (await import('./commands/key-kit.ts')).keyKitCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
  schedule: async () => (await import('./commands/schedule.ts')).scheduleCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  'notify test': async () => (await import('./commands/notify-test.ts')).notifyTestCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  errors: async () => (await import('./commands/errors.ts')).errorsCommand,
}

/** First words that are no command by themselves. */
export const commandGroups: Readonly<Record<string, string>> = {
  key: 'who can read and write: list, add, remove',
  notify: 'whom alerts are told: test',
}

/** The commands whose name begins with this word, or else all. */
export async function loadCommands(word?: string): Promise<Command[]> {
  const begun = Object.entries(commandLoaders).filter(([name]) => name.split(' ', 1)[0] === word)
  return Promise.all((begun.length > 0 ? begun : Object.entries(commandLoaders)).map(([, load]) => load()))
}
