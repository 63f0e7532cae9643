import { Check, Copy } from 'lucide-react'
import { useState } from 'react'
import { Button } from './Button.tsx'

/** Text to be taken along: a command, a link, a secret that is shown once. */
export function Copyable({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), 2_000)
  }
  return (
    <div className="copyable">
      <code>{text}</code>
      <Button
        slim
        kind="ghost"
        icon={copied ? <Check /> : <Copy />}
        label={copied ? 'Copied' : `Copy ${what}`}
        onClick={() => void copy()}
      />
    </div>
  )
}
