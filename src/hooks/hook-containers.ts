/** What steps do with containers. Errors are AppErrors. */
export interface HookContainers {
  /** The names that the engine has for what a step names: a container, or the containers of a service. */
  find(name: string): Promise<readonly string[]>
  isRunning(name: string, options: { signal: AbortSignal }): Promise<boolean>
  /** Who no longer waits has not taken it back: the container ends later. */
  stop(name: string, options: { signal: AbortSignal }): Promise<void>
  /** One that runs already is left alone; one that is being stopped is started when it has ended. */
  start(name: string, options: { signal: AbortSignal }): Promise<void>
  /** Resolves when it is healthy, or runs and has no health check; else rejects with what it is instead. */
  checkReady(name: string, options: { signal: AbortSignal }): Promise<void>
  /** The exit code of a program that is run in it. */
  run(
    name: string,
    command: readonly string[],
    options: {
      readonly environment: Readonly<Record<string, string>>
      readonly signal: AbortSignal
      readonly onLine: (line: string) => void
    },
  ): Promise<number>
}
