import { TextField } from '../../ui/Field.tsx'

/** As the browser knows it: the nights of whoever fills in the form. */
export const localZone = Intl.DateTimeFormat().resolvedOptions().timeZone
const zones = [...new Set(['UTC', localZone, ...Intl.supportedValuesOf('timeZone')])]

export function ZoneField({
  value,
  onChange,
  wrong,
}: {
  value: string
  onChange: (zone: string) => void
  wrong?: string | false | undefined
}) {
  return (
    <>
      <TextField
        label="Time zone"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        placeholder="that of the machine"
        list="zones"
        wrong={wrong}
      />
      <datalist id="zones">
        {zones.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </>
  )
}
