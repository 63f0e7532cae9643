import { backupCommand } from './commands/backup.ts'
import { checkCommand } from './commands/check.ts'
import { demoCommand } from './commands/demo.ts'
import { diffCommand } from './commands/diff.ts'
import { errorsCommand } from './commands/errors.ts'
import { initCommand } from './commands/init.ts'
import { listCommand } from './commands/list.ts'
import { proveCommand } from './commands/prove.ts'
import { restoreCommand } from './commands/restore.ts'
import { showCommand } from './commands/show.ts'
import type { Command } from './define-command.ts'

/** Every command, in the order in which a newcomer needs them. */
export const commands: readonly Command[] = [
  demoCommand,
  initCommand,
  backupCommand,
  listCommand,
  showCommand,
  restoreCommand,
  proveCommand,
  diffCommand,
  checkCommand,
  errorsCommand,
]
