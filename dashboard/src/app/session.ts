import { createContext, useContext } from 'react'
import type { Me } from '../../../src/shapes/access.ts'
import type { Scope } from '../../../src/shapes/common.ts'

export interface Session {
  user: NonNullable<Me['user']>
  version: string
  /** Whether they may. What they may not is not shown, or says who may; the service refuses it in any case. */
  may: (scope: Scope) => boolean
}

export const SessionContext = createContext<Session | null>(null)

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error('This is shown to people who have signed in only.')
  return session
}
