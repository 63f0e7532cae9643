const part = String.raw`\s*(?:"(?:[^"]|"")+"|[^\s"'.,;()*?$-][^\s"'.,;()*?]*)\s*`

/**
 * Names as a person writes them in SQL, parted by dots or commas: in lower case unless they stand in double quotes.
 * Undefined where the text is something else.
 */
export function parseNames(text: string, separator: '.' | ','): string[] | undefined {
  if (!new RegExp(`^${part}(?:[${separator}]${part})*$`).test(text)) return undefined
  return Array.from(text.matchAll(new RegExp(part, 'g')), ([found]) => {
    const name = found.trim()
    if (name.startsWith('"')) return name.slice(1, -1).replaceAll('""', '"')
    return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
  })
}
