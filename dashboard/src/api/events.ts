import type { InfiniteData, QueryClient } from '@tanstack/react-query'
import type { LogLine, Progress, Run, RunDetail } from '../../../src/shapes/run.ts'
import type { Overview, ServiceEvent } from '../../../src/shapes/service.ts'
import { setConnected } from './connection.ts'
import type { Page } from './queries.ts'

/** What is asked again when something of that kind has changed. */
const staleAfter = {
  databases: [['overview'], ['databases'], ['backups']],
  repositories: [['overview'], ['repositories']],
  schedules: [['schedules'], ['overview']],
  settings: [['settings'], ['secrets'], ['overview'], ['databases'], ['schedules'], ['channels'], ['repositories']],
  alerts: [['alerts'], ['overview']],
  runs: [['runs'], ['schedules']],
} as const satisfies Record<string, string[][]>

/**
 * Keeps what was asked for as fresh as the service knows it: progress and logs are put in place, everything else is asked
 * again, at most twice a second. Returns how to stop.
 */
export function followEvents(client: QueryClient): () => void {
  let source: EventSource
  const due = new Set<keyof typeof staleAfter>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let later: ReturnType<typeof setTimeout> | undefined
  let wasLost = false

  const askAgain = (what: keyof typeof staleAfter) => {
    due.add(what)
    timer ??= setTimeout(() => {
      timer = undefined
      for (const kind of due) for (const queryKey of staleAfter[kind]) void client.invalidateQueries({ queryKey })
      due.clear()
    }, 500)
  }

  const take = (event: ServiceEvent) => {
    switch (event.kind) {
      case 'run':
        putRun(client, event.run)
        askAgain('runs')
        if (event.run.endedAt !== null) {
          askAgain('databases')
          void client.invalidateQueries({ queryKey: ['run', event.run.id] })
          void client.invalidateQueries({ queryKey: ['log', event.run.id] })
        }
        return
      case 'progress':
        return putProgress(client, event.run, event.progress)
      case 'log':
        return client.setQueryData<LogLine[]>(['log', event.run], (lines) => lines && [...lines, event.line])
      case 'alert':
        return askAgain('alerts')
      case 'changed':
        return askAgain(event.what)
    }
  }

  const listen = () => {
    source = new EventSource('/api/events')
    for (const kind of ['run', 'progress', 'log', 'alert', 'changed'] as const) {
      source.addEventListener(kind, (message) => take({ kind, ...JSON.parse(message.data as string) } as ServiceEvent))
    }
    source.onopen = () => {
      setConnected(true)
      // What happened meanwhile was not heard.
      if (wasLost) void client.invalidateQueries()
      wasLost = false
    }
    source.onerror = () => {
      source.close()
      // The service ends a stream that does not keep up: only when no other one follows, it is not there.
      if (wasLost) setConnected(false)
      later = setTimeout(listen, wasLost ? 3_000 : 200)
      wasLost = true
      // Or nobody is signed in any more.
      void client.invalidateQueries({ queryKey: ['me'] })
    }
  }
  listen()
  return () => {
    clearTimeout(timer)
    clearTimeout(later)
    source.close()
    setConnected(true)
  }
}

/** In every list that has it; the overview gets one that it does not have yet at its head. */
function putRun(client: QueryClient, run: Run): void {
  client.setQueryData<RunDetail>(['run', run.id], (old) => old && { ...old, ...run })
  client.setQueryData<Overview>(['overview'], (old) => {
    if (!old) return old
    const known = old.runs.some((one) => one.id === run.id)
    const runs = known ? old.runs.map((one) => (one.id === run.id ? run : one)) : [run, ...old.runs]
    const databases = old.databases.map((database) =>
      run.command === 'backup' && run.databases.includes(database.name)
        ? { ...database, running: run.endedAt === null ? run.id : null }
        : database,
    )
    return { ...old, runs, databases }
  })
}

function putProgress(client: QueryClient, id: string, progress: Progress): void {
  const moved = (run: Run) => (run.id === id ? { ...run, progress } : run)
  client.setQueryData<RunDetail>(['run', id], (old) => old && { ...old, progress })
  client.setQueryData<Overview>(['overview'], (old) => old && { ...old, runs: old.runs.map(moved) })
  client.setQueriesData<Page<Run> | InfiniteData<Page<Run>>>({ queryKey: ['runs'] }, (old) => {
    if (!old) return old
    const movedPage = (page: Page<Run>) => ({ ...page, items: page.items.map(moved) })
    return 'pages' in old ? { ...old, pages: old.pages.map(movedPage) } : movedPage(old)
  })
}
