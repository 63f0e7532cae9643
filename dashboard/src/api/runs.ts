import type { NavigateFunction } from 'react-router'
import type { Run, RunRequest } from '../../../src/shapes/run.ts'
import { tell } from '../ui/toasts.tsx'
import { at, post } from './client.ts'

/** @throws ApiError */
export const requestRun = (request: RunRequest) => post<Run>(at`runs`, request)

/** Begins a run and goes to where it can be watched; what hinders it is told. */
export const startRun = (request: RunRequest, navigate: NavigateFunction) => watched(requestRun(request), navigate)

/** Does at once what a schedule does at its time. */
export const startSchedule = (name: string, navigate: NavigateFunction) =>
  watched(post<Run>(at`schedules/${name}/runs`), navigate)

async function watched(begun: Promise<Run>, navigate: NavigateFunction): Promise<void> {
  try {
    const run = await begun
    await navigate(`/runs/${run.id}`)
  } catch (error) {
    tell(error as Error)
  }
}
