import { TextField } from '../../ui/Field.tsx'

export const leastPassword = 12

/** A new password: long enough is all that is asked, and a bar shows how far it is. */
export function PasswordField({
  label,
  value,
  onChange,
}: {
  label: string
  value: string
  onChange: (value: string) => void
}) {
  const enough = value.length >= leastPassword
  return (
    <TextField
      label={label}
      type="password"
      autoComplete="new-password"
      required
      minLength={leastPassword}
      maxLength={200}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      hint={
        enough
          ? 'Long enough.'
          : `At least ${leastPassword} characters: a sentence is easy to remember. ${value.length} of ${leastPassword}.`
      }
    />
  )
}
