import { hasCode, messageOf } from '../core/app-error.ts'
import { type Comparison, type Difference, emptyComparison } from './compare-database.ts'

const unreadable = 'can not be read: '
const refused = 'can not be restored: '

/** What is said of a backup that did not get as far as a comparison. */
export function refutation(error: unknown): Comparison {
  const comparison = emptyComparison()
  const problem = hasCode(error, 'object-damaged', 'object-missing') ? unreadable : refused
  comparison.differences.push({ object: 'the backup', problem: problem + messageOf(error) })
  return comparison
}

/** What to do about a backup that is refuted, by what was found. */
export function remedyFor(differences: readonly Difference[]): string {
  const says = (words: string) => differences.some(({ problem }) => problem.startsWith(words))
  if (says(unreadable)) {
    return 'do not rely on it: "pgrevive check --level content" tells what else is damaged; make a new backup and prove that'
  }
  if (says(refused)) {
    return 'any server like this refuses it, and a new backup of the same would be refuted as well: change what is named above in the source database, or leave it out of the backup, and prove that'
  }
  if (differences.every(({ object }) => object.startsWith('assertion '))) {
    return 'the rows came back as they were backed up: look into the source database, or correct the assertion in pgrevive.yaml'
  }
  // a definition is called by its type in capitals, as pg_dump does
  if (differences.every(({ object }) => /^([A-Z]|extension )/.test(object))) {
    return 'all rows came back, but these definitions do not come back as they were, on any server like this: change them in the source database, or leave them out of the backup, and prove that'
  }
  return 'do not rely on it: make a new backup and prove that'
}
