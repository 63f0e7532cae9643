import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Button } from './Button.tsx'
import { Loading, Problem } from './Note.tsx'

/** What a query has: its data, or that it is being read, or why there is none. Old data stay while they are asked for again. */
export function Asked<Data>({
  query,
  what,
  children,
}: {
  query: UseQueryResult<Data>
  what: string
  children: (data: Data) => ReactNode
}) {
  if (query.data !== undefined) return children(query.data)
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
