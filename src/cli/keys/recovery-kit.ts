import { createHash } from 'node:crypto'
import { shortKey } from '../../repository/keys/age-identity.ts'
import { type RepositoryKey, formatKeyFile } from '../../repository/keys/key-file.ts'
import type { Repository } from '../../repository/repository.ts'
import { shellWord } from '../../core/text/shell-word.ts'

/**
 * All that is needed to read the backups again on another machine; at the same time a key file. `recipients`: who is to read
 * from now on, where that is about to change.
 */
export async function recoveryKit(
  repository: Repository,
  key: RepositoryKey,
  recipients: readonly string[] = repository.recipients,
): Promise<string> {
  const script = await repository.restoreScript()
  const place = shellWord(repository.store.location)
  const comments = [
    'pgrevive recovery kit',
    '',
    `repository:  ${repository.id}`,
    `place:       ${repository.store.location}`,
    `format:      1 (docs/format.md of pgrevive)`,
    ...recipients.map((recipient) => `recipient:   ${shortKey(recipient)}`),
    '',
    ...(key.canRead
      ? ['To restore on another machine:']
      : [
          'It holds no reading key. Append the identity (AGE-SECRET-KEY-…) of a recipient to a copy of this file; then:',
        ]),
    `  pgrevive list --repo ${place} --key-file THIS-FILE`,
    `  pgrevive restore latest --to postgres://… --repo ${place} --key-file THIS-FILE`,
    '',
    'Without pgrevive: RESTORE.md in the repository tells how. Run its restore.py only if this is its SHA-256, or "pgrevive check" finds it sound:',
    `  ${createHash('sha256').update(script).digest('hex')}`,
    '',
  ]
  return `${comments.map((line) => `# ${line}`.trimEnd()).join('\n')}\n${await formatKeyFile(key)}`
}
