import type { Command } from './define-command.ts'

/** Every command, in the order in which a newcomer needs them. Loaded only when needed: one has no use for the others. */
const commandLoaders: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
  init: async () => (await import('./commands/init.ts')).initCommand,
  backup: async () => (await import('./commands/backup.ts')).backupCommand,
  import: async () => (await import('./commands/import.ts')).importCommand,
  list: async () => (await import('./commands/list.ts')).listCommand,
  show: async () => (await import('./commands/show.ts')).showCommand,
  restore: async () => (await import('./commands/restore.ts')).restoreCommand,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  prove: async () => (await import('./commands/prove.ts')).proveCommand,
  diff: async () => (await import('./commands/diff.ts')).diffCommand,
  copy: async () => (await import('./commands/copy.ts')).copyCommand,
  sync: async () => (await import('./commands/sync.ts')).syncCommand,
  forget: async () => (await import('./commands/forget.ts')).forgetCommand,
  prune: async () => (await import('./commands/prune.ts')).pruneCommand,
  pin: async () => (await import('./commands/pin.ts')).pinCommand,
  unpin: async () => (await import('./commands/pin.ts')).unpinCommand,
  acknowledge: async () => (await import('./commands/acknowledge.ts')).acknowledgeCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
  errors: async () => (await import('./commands/errors.ts')).errorsCommand,
}

/** The command of this name alone, or else all. */
export async function loadCommands(name?: string): Promise<Command[]> {
  const only = name !== undefined && Object.hasOwn(commandLoaders, name) ? commandLoaders[name] : undefined
  return Promise.all((only ? [only] : Object.values(commandLoaders)).map((load) => load()))
}
