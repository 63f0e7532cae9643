/** What the API tells the log of the service. Nothing of it holds a secret: no query, no header, no body. */
export interface ApiLog {
  request(line: RequestLine): void
  warning(text: string): void
  /** An error that nobody expected, with the id that the answer named. */
  bug(bug: { readonly id: string; readonly error: unknown }): void
}

export interface RequestLine {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly tookMs: number
  readonly address: string
  readonly by: string | undefined
}
