import type { AccessRoom } from './access/open-access.ts'
import type { ApiService } from './api-service.ts'
import type { Ask } from './asking/ask.ts'
import type { Names } from './asking/run-request.ts'
import type { ConfigText } from './settings/config-text.ts'
import type { SecretFiles } from './settings/secret-files.ts'
import type { WaitingKits } from './settings/waiting-kits.ts'

/** What routes work with. */
export interface ApiRoom {
  readonly service: ApiService
  readonly access: AccessRoom
  readonly ask: Ask
  readonly config: ConfigText
  readonly secrets: SecretFiles
  readonly kits: WaitingKits
  /** What can be named in a run, as of now. */
  readonly names: () => Names
  /** Aborted when the server ends. */
  readonly closing: AbortSignal
}
