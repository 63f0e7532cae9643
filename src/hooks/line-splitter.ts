const longestLine = 8192

/** Makes lines of what a program prints as it comes. */
export class LineSplitter {
  readonly #onLine: (line: string) => void
  readonly #decoder = new TextDecoder()
  #begun = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  write(bytes: Uint8Array): void {
    const lines = `${this.#begun}${this.#decoder.decode(bytes, { stream: true })}`.split(/\r?\n/)
    this.#begun = lines.pop() ?? ''
    for (const line of lines) this.#onLine(line)
    if (this.#begun.length > longestLine) this.end()
  }

  /** What has no line break at its end is a line, too. */
  end(): void {
    if (this.#begun !== '') this.#onLine(this.#begun)
    this.#begun = ''
  }
}
