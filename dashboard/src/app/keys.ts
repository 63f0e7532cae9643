import { useEffect, useRef } from 'react'

/** Whether keys belong to what is being written. */
const writing = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))

/** Single keys, and pairs such as "g o", typed outside of fields. */
export function useKeys(bindings: Record<string, () => void>): void {
  const current = useRef(bindings)
  useEffect(() => {
    current.current = bindings
  })
  useEffect(() => {
    let before = ''
    let beforeAt = 0
    const listen = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        current.current['ctrl+k']?.()
        return
      }
      if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return
      const pair = event.timeStamp - beforeAt < 1_000 ? `${before} ${event.key}` : ''
      const found = current.current[pair] ?? current.current[event.key]
      before = event.key
      beforeAt = event.timeStamp
      if (!found) return
      event.preventDefault()
      before = ''
      found()
    }
    window.addEventListener('keydown', listen)
    return () => window.removeEventListener('keydown', listen)
  }, [])
}
