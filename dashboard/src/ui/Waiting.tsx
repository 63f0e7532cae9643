import { useEffect, useState } from 'react'

/** What is being done, and for how many seconds so far. */
export function Waiting({ what }: { what: string }) {
  const [seconds, setSeconds] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setSeconds((passed) => passed + 1), 1000)
    return () => clearInterval(timer)
  }, [])
  return (
    <p className="quiet" role="status">
      {what}… {seconds > 0 && `${seconds} s`}
    </p>
  )
}
