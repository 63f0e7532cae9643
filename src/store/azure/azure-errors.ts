import { RestError } from '@azure/storage-blob'
import { AppError } from '../../core/app-error.ts'
import type { FailureWords } from '../patient-requests.ts'
import { type AzureAccess, credentialsHint } from './azure-access.ts'
import {
  type Explanation,
  busy,
  explainConnection,
  firstLineOf,
  full,
  isNetworkFailure,
  transientStatuses,
} from '../server-failures.ts'
import type { AzurePlace } from './azure-place.ts'

/** Of a server that may do better in a moment, or when what was sent was damaged on its way. */
const passingAnswer = /^(ServerBusy|OperationTimedOut|InternalError|Md5Mismatch)$/
/** Azure refuses what seems to be signed this long ago or ahead. */
const toleratedSkewMs = 14 * 60_000

export function azureWords(place: AzurePlace, access: AzureAccess): FailureWords {
  return {
    isTransient,
    isAnswer: (error) => isAnswer(error) || error instanceof AppError,
    describe: describeFailure,
    explain: (error, what) => explain(error, what, place, access),
  }
}

/** The code that Azure gave an error; undefined: it is no answer of a server. */
export function azureCode(error: unknown): string | undefined {
  return isAnswer(error) ? codeOfAnswer(error) : undefined
}

function codeOfAnswer(error: RestError): string {
  return error.code ?? error.response?.headers.get('x-ms-error-code') ?? ''
}

function isAnswer(error: unknown): error is RestError {
  return error instanceof RestError && error.statusCode !== undefined && error.code !== RestError.PARSE_ERROR
}

function isTransient(error: unknown): boolean {
  if (isAnswer(error)) return transientStatuses.has(error.statusCode ?? 0) || passingAnswer.test(codeOfAnswer(error))
  return isNetworkFailure(error)
}

function describeFailure(error: unknown): string {
  const said = firstLineOf(error)
  if (!isAnswer(error)) return said
  const request = error.response?.headers.get('x-ms-request-id')
  const text = said === '' || said.startsWith('{') ? '' : `: ${said}`
  return `the server answered ${error.statusCode} ${codeOfAnswer(error)}${text}${request === undefined ? '' : `, request ${request}`}`
}

function explain(error: unknown, what: string, place: AzurePlace, access: AzureAccess): unknown {
  const cause = new Error(describeFailure(error)) // the SDK's errors carry requests, whose URLs may hold a signature
  const server = access.endpoint
  if (isAnswer(error)) {
    const [code, message, hint] = explainAnswer(error, what, place, access)
    return new AppError(code, message, { cause, hint })
  }
  const connection = explainConnection(error, what, server)
  if (connection) return connection
  if (error instanceof RestError) {
    return new AppError('store-failed', `${server} does not answer as Azure Blob Storage does`, {
      cause,
      hint: 'check that the endpoint is that of the blob service, with the account in its path if the server wants that',
    })
  }
  return error
}

function explainAnswer(error: RestError, what: string, place: AzurePlace, access: AzureAccess): Explanation {
  const { container } = place
  const code = codeOfAnswer(error)
  switch (code) {
    case 'ContainerNotFound':
    case 'ContainerBeingDeleted':
    case 'ContainerDisabled':
      return [
        'store-missing',
        `the container "${container}" does not exist at ${access.endpoint}`,
        'check the name and the account; pgrevive makes no containers',
      ]
    case 'BlobImmutableDueToPolicy':
    case 'SnapshotsPresent':
      return [
        'store-denied',
        `a policy or a snapshot keeps ${what} as it is`,
        'wait for its end, or ask whoever set it',
      ]
  }
  const { statusCode = 0 } = error
  // Azurite calls it AuthorizationFailure, which is a lack of rights
  if (code === 'AuthenticationFailed' || error.message.startsWith('Server failed to authenticate'))
    return explainLogin(error, what, access)
  if (statusCode === 507) return full(what)
  if (statusCode === 401 || statusCode === 403) {
    return [
      'store-denied',
      `the credentials have no right for ${what}`,
      'backups need the rights to list, read, create and write blobs of the container, and a network that its firewall lets in',
    ]
  }
  if (isTransient(error)) return busy(what)
  return [
    'store-failed',
    `the store refused ${what}`,
    'check the endpoint, and whether the server is meant for Azure blobs',
  ]
}

function explainLogin(error: RestError, what: string, access: AzureAccess): Explanation {
  if (access.kind === 'sas') {
    return [
      'store-denied',
      `the shared access signature for ${what} is wrong or has expired`,
      'make a new one (az storage container generate-sas), and set AZURE_STORAGE_SAS_TOKEN',
    ]
  }
  if (skewOf(error) > toleratedSkewMs) {
    return [
      'store-failed',
      `the clocks of this machine and of the store differ too much for ${what}`,
      'set the clock of this machine (timedatectl); Azure refuses what seems to be signed more than 15 minutes ago or ahead',
    ]
  }
  return ['store-denied', `the key of the account "${access.account}" is wrong for ${what}`, credentialsHint]
}

/** By how much this machine's clock and that of the server differ. */
function skewOf(error: RestError): number {
  const date = Date.parse(error.response?.headers.get('date') ?? '')
  return Number.isNaN(date) ? 0 : Math.abs(date - Date.now())
}
