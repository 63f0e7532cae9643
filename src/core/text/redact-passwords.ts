/**
 * Hides what looks like a password of a connection string. No message should hold one; this stands where messages
 * leave the program, for the argument that was mistyped so that nobody recognized it as a connection string.
 */
export function redactPasswords(text: string): string {
  return (
    text
      .replaceAll(/(:\/\/[^\s:/@]*):[^\s@]*@/g, '$1:…@')
      // in an SQL literal its quotes are doubled
      .replaceAll(/(password\s*=\s*)(''(?:\\''|[^'])*''|'[^']*'|[^\s&"]+)/gi, '$1…')
      .replaceAll(/(password\s+)'(?:[^']|'')*'/gi, '$1…')
  )
}
