import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { Asked } from '../../ui/Asked.tsx'
import { ObjectiveMark } from '../../ui/Marks.tsx'
import { BackupStep } from './BackupStep.tsx'
import { ConnectStep, type Connection } from './ConnectStep.tsx'
import { DoneStep } from './DoneStep.tsx'
import { RepositoryStep } from './RepositoryStep.tsx'
import { ScheduleStep } from './ScheduleStep.tsx'

const steps = ['Connect', 'Keep', 'Back up and prove', 'Every night', 'Done'] as const

/** From a URL to a database that is backed up, proven, and stays so. */
export function AddPage() {
  const repositories = useQuery(queries.repositories)
  const [step, setStep] = useState(0)
  const [connection, setConnection] = useState<Connection | null>(null)
  const [database, setDatabase] = useState('')
  const next = () => setStep(step + 1)
  return (
    <Page title="Add a database" about="Two minutes, and you know whether you could get it back.">
      <ol className="wizard" aria-label="Steps">
        {steps.map((text, index) => (
          <li key={text} aria-current={index === step ? 'step' : undefined} className={index < step ? 'done' : ''}>
            {index < step ? <ObjectiveMark state="ok" /> : <span className="step">{index + 1}</span>}
            {text}
          </li>
        ))}
      </ol>
      <section className="card pad wizard-card" aria-label={steps[step]}>
        {step === 0 && (
          <ConnectStep
            entered={connection}
            then={(found) => {
              setConnection(found)
              next()
            }}
          />
        )}
        {step === 1 && connection && (
          <Asked query={repositories} what="the repositories">
            {(known) => (
              <RepositoryStep
                known={known}
                connection={connection}
                back={() => setStep(0)}
                then={(name) => {
                  setDatabase(name)
                  next()
                }}
              />
            )}
          </Asked>
        )}
        {step === 2 && <BackupStep database={database} then={next} />}
        {step === 3 && <ScheduleStep then={next} />}
        {step === 4 && <DoneStep database={database} />}
      </section>
    </Page>
  )
}
