/** Whether a whole name matches a pattern, in which `*` stands for anything and `?` for one character. */
export function matchesGlob(name: string, pattern: string): boolean {
  const expression = pattern.replaceAll(/[|*+?()[\]{}.^$\\/]/g, (character) =>
    character === '*' ? '.*' : character === '?' ? '.' : `\\${character}`,
  )
  return new RegExp(`^${expression}$`, 'su').test(name)
}
