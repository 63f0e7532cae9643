import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { Button } from './Button.tsx'

// The veil is a plain element: Radix's own overlay puts a <style> into the page, which the content policy refuses.

export function Dialog({
  open,
  onClose,
  title,
  about,
  wide,
  children,
}: {
  open: boolean
  onClose: () => void
  title: string
  about?: ReactNode
  wide?: boolean
  children: ReactNode
}) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <div className="veil" aria-hidden="true" />
        <Radix.Content
          className={wide ? 'dialog wide' : 'dialog'}
          onOpenAutoFocus={focusField}
          {...(about === undefined && { 'aria-describedby': undefined })}
        >
          <div className="dialog-head">
            <div>
              <Radix.Title>{title}</Radix.Title>
              {about !== undefined && <Radix.Description>{about}</Radix.Description>}
            </div>
            <Radix.Close asChild>
              <Button kind="ghost" slim icon={<X />} label="Close" />
            </Radix.Close>
          </div>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}

/** Whoever opens a dialog to fill it in begins with its first field, not with the button that closes it. */
function focusField(event: Event): void {
  const field = (event.currentTarget as HTMLElement).querySelector<HTMLElement>('input, select, textarea')
  if (!field) return
  event.preventDefault()
  field.focus()
}
