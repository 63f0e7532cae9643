import type { ReactNode } from 'react'
import type { Severity } from '../../../src/shapes/alert.ts'
import type { ObjectiveState } from '../../../src/shapes/database.ts'
import type { RunState } from '../../../src/shapes/run.ts'

// Each meaning has its shape, so that it can be told without colours. What was restored and found equal is "=".

export type Tone = 'ok' | 'risk' | 'bad' | 'idle' | 'busy'

function Mark({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <svg className={`mark tone-${tone}`} viewBox="0 0 16 16" aria-hidden="true">
      {children}
    </svg>
  )
}

const circle = <circle className="fill" cx="8" cy="8" r="7" />
const ring = <circle className="stroke" cx="8" cy="8" r="6.1" />

export const objectiveWords: Record<ObjectiveState, string> = {
  ok: 'ok',
  'at-risk': 'at risk',
  failing: 'failing',
  unknown: 'unknown',
}
export const objectiveTone: Record<ObjectiveState, Tone> = {
  ok: 'ok',
  'at-risk': 'risk',
  failing: 'bad',
  unknown: 'idle',
}

export function ObjectiveMark({ state }: { state: ObjectiveState }) {
  const tone = objectiveTone[state]
  switch (state) {
    case 'ok':
      return <Mark tone={tone}>{[circle, <path key="p" className="cut-out" d="m4.9 8.3 2.1 2.1 4.1-4.6" />]}</Mark>
    case 'at-risk':
      return (
        <Mark tone={tone}>
          <path
            className="fill"
            d="M6.9 1.6 .8 12.4A1.4 1.4 0 0 0 2 14.5h12a1.4 1.4 0 0 0 1.2-2.1L9.1 1.6a1.3 1.3 0 0 0-2.2 0Z"
          />
          <path className="cut-out" d="M8 5.8v3.4M8 11.8v.01" />
        </Mark>
      )
    case 'failing':
      return (
        <Mark tone={tone}>
          <path className="fill" d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z" />
          <path className="cut-out" d="m5.6 5.6 4.8 4.8M10.4 5.6l-4.8 4.8" />
        </Mark>
      )
    case 'unknown':
      return (
        <Mark tone={tone}>
          <circle className="stroke dashed" cx="8" cy="8" r="6.1" strokeDasharray="2.4 2.6" />
        </Mark>
      )
  }
}

export type ProofOutcome = 'proven' | 'unproven' | 'refuted'
export const proofTone: Record<ProofOutcome, Tone> = { proven: 'ok', unproven: 'idle', refuted: 'bad' }

/** "=": restored and found equal; "≠": restored and different; "–": nobody has tried. */
export function ProofMark({ outcome }: { outcome: ProofOutcome }) {
  const tone = proofTone[outcome]
  if (outcome === 'proven') {
    return <Mark tone={tone}>{[circle, <path key="p" className="cut-out" d="M4.8 6.4h6.4M4.8 9.8h6.4" />]}</Mark>
  }
  if (outcome === 'refuted') {
    return (
      <Mark tone={tone}>
        <path className="fill" d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z" />
        <path className="cut-out" d="M4.8 6.4h6.4M4.8 9.8h6.4M10 4.2 6 12" />
      </Mark>
    )
  }
  return (
    <Mark tone={tone}>
      {ring}
      <path className="stroke" d="M5.4 8h5.2" />
    </Mark>
  )
}

export const runTone: Record<RunState, Tone> = {
  waiting: 'idle',
  running: 'busy',
  done: 'ok',
  failed: 'bad',
  canceled: 'idle',
  interrupted: 'risk',
  missed: 'risk',
}

export function RunMark({ state }: { state: RunState }) {
  const tone = runTone[state]
  switch (state) {
    case 'done':
      return <ObjectiveMark state="ok" />
    case 'failed':
      return <ObjectiveMark state="failing" />
    case 'missed':
    case 'interrupted':
      return <ObjectiveMark state="at-risk" />
    case 'running':
      return <Mark tone={tone}>{[circle, <path key="p" className="cut-out" d="M6.6 5.2 10.6 8l-4 2.8Z" />]}</Mark>
    case 'waiting':
      return (
        <Mark tone={tone}>
          {ring}
          <path className="stroke" d="M8 4.8V8l2 1.6" />
        </Mark>
      )
    case 'canceled':
      return (
        <Mark tone={tone}>
          {ring}
          <path className="stroke" d="m4 12 8-8" />
        </Mark>
      )
  }
}

export const severityTone: Record<Severity, Tone> = { info: 'busy', warning: 'risk', critical: 'bad' }

export function SeverityMark({ severity }: { severity: Severity }) {
  if (severity === 'critical') return <ObjectiveMark state="failing" />
  if (severity === 'warning') return <ObjectiveMark state="at-risk" />
  return <Mark tone="busy">{[circle, <path key="p" className="cut-out" d="M8 7.4v4M8 4.8v.01" />]}</Mark>
}

export function Badge({ tone, mark, children }: { tone: Tone; mark?: ReactNode; children: ReactNode }) {
  return (
    <span className={`badge tone-${tone}`}>
      {mark}
      {children}
    </span>
  )
}

export const StateBadge = ({ state }: { state: ObjectiveState }) => (
  <Badge tone={objectiveTone[state]} mark={<ObjectiveMark state={state} />}>
    {objectiveWords[state]}
  </Badge>
)

export const ProofBadge = ({ outcome }: { outcome: ProofOutcome }) => (
  <Badge tone={proofTone[outcome]} mark={<ProofMark outcome={outcome} />}>
    {outcome}
  </Badge>
)

export const RunBadge = ({ state }: { state: RunState }) => (
  <Badge tone={runTone[state]} mark={<RunMark state={state} />}>
    {state}
  </Badge>
)
