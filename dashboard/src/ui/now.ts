import { useSyncExternalStore } from 'react'
import { connectionLostAt } from '../api/connection.ts'

/** A clock that all who show an age share; it stands still while nobody looks, and while nobody knows what is true now. */
function clockOf(everyMs: number): () => number {
  let now = Date.now()
  let timer: ReturnType<typeof setInterval> | undefined
  const listeners = new Set<() => void>()
  const subscribe = (listener: () => void) => {
    if (listeners.size === 0) {
      now = connectionLostAt() ?? Date.now()
      timer = setInterval(() => {
        now = connectionLostAt() ?? Date.now()
        for (const each of listeners) each()
      }, everyMs)
    }
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) clearInterval(timer)
    }
  }
  return () => useSyncExternalStore(subscribe, () => now)
}

/** The time in milliseconds, for ages: moved every five seconds. */
export const useNow = clockOf(5_000)
/** The same for what runs just now: moved every second. */
export const useSecond = clockOf(1_000)
