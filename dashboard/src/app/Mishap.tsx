import { Component, type ReactNode } from 'react'
import { Button } from '../ui/Button.tsx'
import { Problem } from '../ui/Note.tsx'

/** What is shown in the place of a page that could not be drawn: a defect of ours must not look like a database without backups. */
export class Mishap extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null as Error | null }

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) }
  }

  override render() {
    const { error } = this.state
    if (!error) return this.props.children
    return <Problem error={error} action={<Button onClick={() => window.location.reload()}>Load again</Button>} />
  }
}
