import { X } from 'lucide-react'
import { useSyncExternalStore, type ReactNode } from 'react'
import { Button } from './Button.tsx'
import { Note, Problem } from './Note.tsx'

interface Toast {
  id: number
  content: ReactNode | Error
}

let toasts: Toast[] = []
let last = 0
const listeners = new Set<() => void>()

function change(next: Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

/** Says that something was done (for six seconds), or what went wrong (until it is closed). */
export function tell(content: ReactNode | Error): void {
  const id = ++last
  change([...toasts, { id, content }].slice(-4))
  if (!(content instanceof Error)) setTimeout(() => dismiss(id), 6_000)
}

const dismiss = (id: number) => change(toasts.filter((toast) => toast.id !== id))

/** Does it, and tells how it went. */
export async function act(work: () => Promise<unknown>, done: ReactNode): Promise<boolean> {
  try {
    await work()
    tell(done)
    return true
  } catch (error) {
    tell(error as Error)
    return false
  }
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <section className="toasts" role="status" aria-label="What just happened">
      {shown.map(({ id, content }) => {
        const close = <Button kind="ghost" slim icon={<X />} label="Dismiss" onClick={() => dismiss(id)} />
        if (content instanceof Error) return <Problem key={id} error={content} action={close} />
        return (
          <Note key={id} tone="ok" action={close}>
            {content}
          </Note>
        )
      })}
    </section>
  )
}
