import type { NavigateFunction } from 'react-router'
import type { Run, RunRequest } from '../../../src/shapes/run.ts'
import { tell } from '../ui/toasts.tsx'
import { at, post } from './client.ts'

/** @throws ApiError */
export const requestRun = (request: RunRequest) => post<Run>(at`runs`, request)

/** Begins a run and goes to where it can be watched; what hinders it is told. */
export async function startRun(request: RunRequest, navigate: NavigateFunction): Promise<void> {
  try {
    const run = await requestRun(request)
    await navigate(`/runs/${run.id}`)
  } catch (error) {
    tell(error as Error)
  }
}
