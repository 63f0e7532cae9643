const most = 10

/** `a, b, c`, or the first ten and how many more there are. */
export function listSome(names: readonly string[]): string {
  const more = names.length > most ? ` and ${names.length - most} more` : ''
  return names.slice(0, most).join(', ') + more
}
