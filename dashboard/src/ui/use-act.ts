import { useState } from 'react'

/** A form's one act: busy while it lasts, and why it failed. */
export function useAct<Result>(work: () => Promise<Result>, then: (result: Result) => void = () => {}) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<Error | null>(null)
  const go = async () => {
    setBusy(true)
    setError(null)
    try {
      then(await work())
    } catch (problem) {
      setError(problem as Error)
    } finally {
      setBusy(false)
    }
  }
  return {
    busy,
    error,
    go,
    /** What was wrong may not be any more: something of the form has changed. */
    forget: () => setError(null),
    submit: (event: { preventDefault: () => void }) => {
      event.preventDefault()
      void go()
    },
  }
}
