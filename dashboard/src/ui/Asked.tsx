import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ApiError } from '../api/client.ts'
import { Button } from './Button.tsx'
import { Loading, Problem } from './Note.tsx'

/** What a query has: its data, or that it is being read, or why there is none. Old data stay while they are asked for again. */
export function Asked<Data>({
  query,
  what,
  lost,
  children,
}: {
  query: UseQueryResult<Data>
  what: string
  /** What a page shows whose address names nothing that is there, or nothing that could be. */
  lost?: ReactNode
  children: (data: Data) => ReactNode
}) {
  if (query.data !== undefined) return children(query.data)
  if (lost !== undefined && query.error instanceof ApiError && [400, 404].includes(query.error.status)) return lost
  if (query.error) {
    return (
      <Problem
        error={query.error}
        action={
          <Button slim onClick={() => void query.refetch()}>
            Try again
          </Button>
        }
      />
    )
  }
  return <Loading what={what} />
}
