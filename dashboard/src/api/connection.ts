import { useSyncExternalStore } from 'react'

let lostAt: number | null = null
const listeners = new Set<() => void>()

/** Since when the service is not heard any more, in milliseconds; null while it is. */
export const connectionLostAt = (): number | null => lostAt

export function setConnected(standing: boolean): void {
  const next = standing ? null : (lostAt ?? Date.now())
  if (next === lostAt) return
  lostAt = next
  for (const listener of listeners) listener()
}

export const useConnectionLostAt = () =>
  useSyncExternalStore((listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, connectionLostAt)
