import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { ConnectionTest } from '../../../../src/shapes/database.ts'
import { at, post } from '../../api/client.ts'
import { plural, size } from '../../text/format.ts'
import { Button } from '../../ui/Button.tsx'
import { TextField, wrongName } from '../../ui/Field.tsx'
import { ObjectiveMark } from '../../ui/Marks.tsx'
import { Problem } from '../../ui/Note.tsx'
import { Waiting } from '../../ui/Waiting.tsx'

export interface Connection {
  url: string
  password: string
  name: string
}

/** A URL is tried as soon as it looks like one: whoever pastes it sees at once what was found. */
export function ConnectStep({
  entered,
  then,
}: {
  /** Before somebody came back. */
  entered: Connection | null
  then: (connection: Connection) => void
}) {
  const [url, setUrl] = useState(entered?.url ?? '')
  const [password, setPassword] = useState(entered?.password ?? '')
  const [name, setName] = useState(entered?.name ?? null)
  const tried = useTried(url.trim(), password)
  const test = useQuery({
    queryKey: ['connection', tried],
    queryFn: () =>
      post<ConnectionTest>(at`databases/test`, { url: tried.url, ...(tried.password && { password: tried.password }) }),
    enabled: looksWhole(tried.url),
    retry: false,
    // The password must not stay longer than the page.
    gcTime: 0,
  })
  const isCurrent = tried.url === url.trim() && tried.password === password
  const found = isCurrent ? test.data : undefined
  const suggested = (found?.database ?? '').replaceAll(/[^\w.-]/g, '_').replace(/^[^A-Za-z0-9]+/, '')
  const chosen = name ?? suggested
  const wrong =
    wrongName(chosen) || (chosen === 'latest' && '“latest” stands for the newest backup: call the database otherwise.')
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault()
        if (found?.ok && chosen !== '' && !wrong) then({ url: url.trim(), password, name: chosen })
      }}
    >
      <h2>Where is it?</h2>
      <TextField
        label="URL of the database"
        className="mono"
        autoFocus
        required
        value={url}
        onChange={(event) => setUrl(event.target.value)}
        wrong={tried.url === url.trim() && wrongUrl(tried.url)}
        placeholder="postgres://user:password@db.example:5432/shop"
        hint="What your application uses will do; a role that may only read is better."
      />
      <TextField
        label="Password, if the URL has none"
        type="password"
        autoComplete="new-password"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        hint="Kept in a file of its own, and never given out again."
      />
      <div className="connection" aria-live="polite">
        {looksWhole(url.trim()) && (!isCurrent || test.isFetching) && <Waiting what="Trying it" />}
        {found?.ok && (
          <p className="with-mark">
            <ObjectiveMark state="ok" />
            <span>
              <span className="strong">Connected.</span> PostgreSQL {found.serverVersion}, database {found.database}
              {found.bytes !== null && `, ${size(found.bytes)}`}
              {found.tables !== null && ` in ${plural(found.tables, 'table')}`}.
            </span>
          </p>
        )}
        {found?.error && <Problem error={withPasswordHere(found.error)} />}
        {isCurrent && test.error && <Problem error={test.error} />}
      </div>
      {found?.ok && (
        <TextField
          label="Call it"
          required
          maxLength={200}
          wrong={wrong}
          value={chosen}
          onChange={(event) => setName(event.target.value)}
          hint="Its name here and in pgrevive.yaml."
        />
      )}
      <div className="form-foot">
        <Button kind="primary" type="submit" disabled={!found?.ok || chosen === '' || Boolean(wrong)}>
          Go on
        </Button>
      </div>
    </form>
  )
}

const looksWhole = (url: string) => /^postgres(ql)?:\/\/[^\s]+/.test(url) || /\b(host|hostaddr|dbname)\s*=/.test(url)

/** Why nothing is tried. */
function wrongUrl(url: string): string | false {
  if (url === '' || looksWhole(url) || 'postgresql://'.startsWith(url) || 'postgres://'.startsWith(url)) return false
  const [, scheme] = /^([a-z][a-z\d+.-]*):\/\//i.exec(url) ?? []
  if (scheme === 'docker' || scheme === 'podman')
    return 'A container is not taken here: name it in pgrevive.yaml, or enter the port that it publishes.'
  const found = scheme === undefined ? 'This is no URL.' : `This is a URL of “${scheme}”.`
  return `${found} One of PostgreSQL is postgres://user:password@host:5432/database.`
}

/** Where to enter a password here; the hint is that of a terminal. */
const withPasswordHere = (error: NonNullable<ConnectionTest['error']>) =>
  error.code === 'authentication-failed'
    ? { ...error, hint: 'Enter the right user in the URL, and the password in the URL or in the field for it.' }
    : error

/** What is typed, once it has stayed the same for a moment. */
function useTried(url: string, password: string) {
  const [tried, setTried] = useState({ url: '', password: '' })
  useEffect(() => {
    const timer = setTimeout(() => setTried({ url, password }), 500)
    return () => clearTimeout(timer)
  }, [url, password])
  return tried
}
