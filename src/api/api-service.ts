import type { Service } from '../service/service.ts'

/** What the API needs of the service. */
export type ApiService = Pick<
  Service,
  | 'clock'
  | 'state'
  | 'runs'
  | 'catalog'
  | 'watch'
  | 'alerts'
  | 'events'
  | 'config'
  | 'configFile'
  | 'configProblem'
  | 'options'
  | 'lookAtConfig'
  | 'tickedAt'
>
