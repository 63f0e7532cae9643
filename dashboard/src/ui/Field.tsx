import {
  useId,
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
} from 'react'

interface About {
  label: string
  hint?: ReactNode | undefined
  wrong?: string | false | null | undefined
}

function Field({ id, label, hint, wrong, children }: About & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint !== undefined && (
        <div className="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      {wrong && (
        <div className="wrong" id={`${id}-wrong`} role="alert">
          {wrong}
        </div>
      )}
    </div>
  )
}

const described = (id: string, { hint, wrong }: About) => ({
  id,
  'aria-invalid': wrong ? true : undefined,
  'aria-describedby':
    [hint !== undefined && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ') || undefined,
})

export function TextField({ label, hint, wrong, className, ...rest }: About & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId()
  return (
    <Field id={id} label={label} hint={hint} wrong={wrong}>
      <input
        className={`input ${className ?? ''}`}
        autoComplete="off"
        spellCheck={false}
        {...described(id, { label, hint, wrong })}
        {...rest}
      />
    </Field>
  )
}

export function AreaField({
  label,
  hint,
  wrong,
  className,
  ...rest
}: About & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId()
  return (
    <Field id={id} label={label} hint={hint} wrong={wrong}>
      <textarea
        className={`input ${className ?? ''}`}
        spellCheck={false}
        {...described(id, { label, hint, wrong })}
        {...rest}
      />
    </Field>
  )
}

export function SelectField({
  label,
  hint,
  wrong,
  children,
  ...rest
}: About & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId()
  return (
    <Field id={id} label={label} hint={hint} wrong={wrong}>
      <select className="input" {...described(id, { label, hint, wrong })} {...rest}>
        {children}
      </select>
    </Field>
  )
}

export function Check({ children, ...rest }: { children: ReactNode } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className="check">
      <input type="checkbox" {...rest} />
      <span>{children}</span>
    </label>
  )
}

/** What is wrong with a name of pgrevive.yaml: of a database, repository, schedule, channel or secret. */
export const wrongName = (name: string): string | false =>
  name !== '' &&
  !/^[A-Za-z0-9][\w.-]{0,199}$/.test(name) &&
  'Letters, digits, “.”, “_” and “-” alone, and a letter or digit first.'
