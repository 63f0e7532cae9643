import { useInfiniteQuery } from '@tanstack/react-query'
import { History } from 'lucide-react'
import { useSearchParams } from 'react-router'
import type { Run, RunCommand, RunState } from '../../../../src/shapes/run.ts'
import { at, get, withQuery } from '../../api/client.ts'
import type { Page as ListPage } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { Button } from '../../ui/Button.tsx'
import { Empty, Loading, Problem } from '../../ui/Note.tsx'
import { RunLine } from './RunLine.tsx'

const states: Record<RunState, string> = {
  running: 'running',
  waiting: 'waiting',
  done: 'done',
  failed: 'failed',
  canceled: 'canceled',
  interrupted: 'interrupted',
  missed: 'missed',
}
const commands: Record<RunCommand, string> = {
  backup: 'backup',
  prove: 'prove',
  restore: 'restore',
  refresh: 'refresh',
  check: 'check',
  sync: 'sync',
  forget: 'forget',
  prune: 'prune',
  list: 'list',
}

/** Everything that was done, the newest first. The filter is in the address, so that it can be linked to. */
export function RunsPage() {
  const [search, setSearch] = useSearchParams()
  const filter = {
    state: search.get('state') ?? '',
    command: search.get('command') ?? '',
    database: search.get('database') ?? '',
  }
  const query = useInfiniteQuery({
    queryKey: ['runs', filter],
    queryFn: ({ pageParam, signal }) =>
      get<ListPage<Run>>(withQuery(at`runs`, { ...filter, before: pageParam ?? undefined, limit: 50 }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  })
  const set = (name: string, value: string) =>
    setSearch(
      (old) => {
        const next = new URLSearchParams(old)
        if (value === '') next.delete(name)
        else next.set(name, value)
        return next
      },
      { replace: true },
    )
  const runs = query.data?.pages.flatMap((page) => page.items) ?? []
  const isFiltered = Object.values(filter).some((value) => value !== '')
  return (
    <Page
      title="Runs"
      about="Everything that pgrevive did, for whom or by which schedule, and how it went."
      actions={
        <>
          <Select
            label="State"
            value={filter.state}
            all="any state"
            options={states}
            onChange={(value) => set('state', value)}
          />
          <Select
            label="Command"
            value={filter.command}
            all="all commands"
            options={commands}
            onChange={(value) => set('command', value)}
          />
          <input
            className="input filter"
            type="search"
            aria-label="Database"
            placeholder="Database"
            defaultValue={filter.database}
            onChange={(event) => set('database', event.target.value)}
          />
        </>
      }
    >
      {query.error && <Problem error={query.error} />}
      {query.isPending && <Loading what="the runs" />}
      {query.data && runs.length === 0 && (
        <Empty icon={<History aria-hidden="true" />} title={isFiltered ? 'No run fits' : 'Nothing has run yet'}>
          {isFiltered
            ? 'Take something of the filter away. A database has to be named exactly.'
            : 'Back up a database from the overview, or make a schedule: each run is listed here with its log.'}
        </Empty>
      )}
      {runs.length > 0 && (
        <ul className="card run-list">
          {runs.map((run) => (
            <RunLine key={run.id} run={run} />
          ))}
        </ul>
      )}
      {query.hasNextPage && (
        <div className="more">
          <Button disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Older runs
          </Button>
        </div>
      )}
    </Page>
  )
}

function Select({
  label,
  value,
  all,
  options,
  onChange,
}: {
  label: string
  value: string
  all: string
  options: Record<string, string>
  onChange: (value: string) => void
}) {
  return (
    <select className="input fit" aria-label={label} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{all}</option>
      {Object.entries(options).map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  )
}
