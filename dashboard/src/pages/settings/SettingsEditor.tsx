import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { SettingsPreview, SettingsText } from '../../../../src/shapes/service.ts'
import { at, post, put } from '../../api/client.ts'
import { Button } from '../../ui/Button.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'

/** The text, what is wrong with it, what would change in it, and what that means. */
export function SettingsEditor({ settings }: { settings: SettingsText }) {
  const client = useQueryClient()
  // The one that was begun with: somebody else may change the file meanwhile.
  const [base, setBase] = useState(settings)
  const [text, setText] = useState(settings.text)
  const isChanged = text !== base.text
  const asked = useSettled(text)
  const preview = useQuery({
    queryKey: ['settings', 'preview', base.revision, asked],
    queryFn: () => post<SettingsPreview>(at`settings/preview`, { text: asked, revision: base.revision }),
    placeholderData: keepPreviousData,
  })
  const saved = useAct(
    () => put<SettingsText>(at`settings`, { text, revision: base.revision }),
    (now) => {
      setBase(now)
      setText(now.text)
      tell('Saved, and in force.')
      void client.invalidateQueries()
    },
  )
  const begin = (from: SettingsText) => {
    setBase(from)
    setText(from.text)
  }
  const isStale = settings.revision !== base.revision
  const found = preview.data
  const isBroken = (found?.problems.length ?? 0) > 0
  return (
    <div className="settings">
      <section className="stack tight">
        <div className="row spread">
          <label htmlFor="settings-text" className="mono small quiet break">
            {base.file}
          </label>
          <div className="row">
            {isChanged && (
              <Button slim onClick={() => begin(settings)}>
                Undo all changes
              </Button>
            )}
            <Button slim kind="primary" disabled={!isChanged || saved.busy || isBroken} onClick={() => void saved.go()}>
              Save
            </Button>
          </div>
        </div>
        <div className="code-area">
          <pre aria-hidden="true">{text.split('\n').map((_, index) => `${index + 1}\n`)}</pre>
          <textarea
            id="settings-text"
            spellCheck={false}
            autoCapitalize="off"
            wrap="off"
            rows={Math.max(20, text.split('\n').length + 1)}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </div>
      </section>
      <aside className="stack" aria-live="polite">
        {isStale && (
          <Note
            tone="risk"
            action={
              <Button slim onClick={() => begin(settings)}>
                Take the new one
              </Button>
            }
          >
            <p className="strong">The file was changed by somebody else meanwhile.</p>
            <p className="hint">What you have written is not lost until you take theirs.</p>
          </Note>
        )}
        {saved.error && <Problem error={saved.error} />}
        {!isChanged && !isBroken && (
          <p className="quiet">Change something, and what it would do is told here before anything is saved.</p>
        )}
        {found && found.problems.length > 0 && (
          <Note tone="bad">
            <p className="strong">
              {isChanged
                ? "It can't be saved like this."
                : 'The file is not valid as it lies there: the service goes by what it said before. Mend it here.'}
            </p>
            <ul>
              {found.problems.map((problem) => (
                <li key={`${problem.line} ${problem.message}`}>
                  {problem.line !== null && <span className="mono">line {problem.line}: </span>}
                  {problem.message}
                </li>
              ))}
            </ul>
          </Note>
        )}
        {found && found.effects.length > 0 && (
          <section className="card pad stack tight">
            <h2>What it would do</h2>
            <ul className="stack tight">
              {found.effects.map((effect) => (
                <li key={effect}>{effect}</li>
              ))}
            </ul>
          </section>
        )}
        {found && found.diff.length > 0 && (
          <section className="stack tight">
            <h2>What would change</h2>
            <ol className="log diff" tabIndex={0} aria-label="Changed lines">
              {found.diff.map((line, index) => (
                <li key={index} className={line.kind}>
                  <span>{line.kind === 'added' ? '+' : line.kind === 'removed' ? '−' : ' '}</span>
                  <span>{line.text}</span>
                </li>
              ))}
            </ol>
          </section>
        )}
      </aside>
    </div>
  )
}

/** What stays the same for a moment while it is being typed. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 350)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}
