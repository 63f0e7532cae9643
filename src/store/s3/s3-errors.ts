import { S3ServiceException } from '@aws-sdk/client-s3'
import { AppError } from '../../core/app-error.ts'
import type { FailureWords } from '../patient-requests.ts'
import {
  type Explanation,
  busy,
  codeOf,
  explainConnection,
  firstLineOf,
  full,
  isNetworkFailure,
  transientStatuses,
} from '../server-failures.ts'
import type { S3Place } from './s3-place.ts'

/** What an operation failed at, for its error. */
interface FailedRequest {
  /** "records/01… in s3://…", or the place. */
  readonly what: string
  readonly place: S3Place
}

const busyAnswer = /^(SlowDown|Throttling\w*|RequestTimeout|InternalError|OperationAborted)$/
/** What was sent was damaged on its way. */
const damagedAnswer = /^(BadDigest|XAmzContentSHA256Mismatch|IncompleteBody)$/
/** The SDK sets its clock by the answer, and signs the next request by that. */
const clockAnswer = 'RequestTimeTooSkewed'

/** Whether the same request may succeed in a moment. */
function isTransient(error: unknown): boolean {
  if (error instanceof S3ServiceException) {
    const { name, $metadata } = error
    return (
      transientStatuses.has($metadata.httpStatusCode ?? 0) ||
      busyAnswer.test(name) ||
      damagedAnswer.test(name) ||
      name === clockAnswer
    )
  }
  return isNetworkFailure(error)
}

/** What happened, in one line. */
function describeFailure(error: unknown): string {
  if (!(error instanceof S3ServiceException)) return firstLineOf(error)
  const { httpStatusCode = 'nothing', requestId } = error.$metadata
  const said = error.message === '' || error.message === 'UnknownError' ? '' : `: ${error.message}`
  return `the server answered ${httpStatusCode} ${error.name}${said}${requestId === undefined ? '' : `, request ${requestId}`}`
}

export function s3Words(place: S3Place): FailureWords {
  return {
    isTransient,
    isAnswer: (error) => error instanceof S3ServiceException || error instanceof AppError,
    describe: describeFailure,
    explain: (error, what) => explain(error, { what, place }),
  }
}

/** Errors that are no answers and no network's stay as they are. */
function explain(error: unknown, request: FailedRequest): unknown {
  if (error instanceof S3ServiceException) return explainAnswer(error, request)
  const { what, place } = request
  const server = place.endpoint ?? 'Amazon S3'
  const connection = explainConnection(error, what, server)
  if (connection) return connection
  if (error instanceof Error && /^(Credentials|Token)ProviderError$/.test(error.name)) {
    return new AppError('store-denied', `no credentials for ${what} were found`, {
      cause: error,
      hint: credentialsHints[place.kind],
    })
  }
  if (error instanceof Error && error.message === 'Region is missing') {
    return new AppError('usage-invalid', `no region for ${what} is named`, {
      hint: 'add region=… to the URL of the repository, or set AWS_REGION',
    })
  }
  if (error instanceof Error && ('$response' in error || codeOf(error).startsWith('HPE_'))) {
    return new AppError('store-failed', `${server} does not answer as S3 does`, {
      cause: error,
      hint: 'check that the endpoint is that of the S3 service, not of its console',
    })
  }
  return error
}

const credentialsHints = {
  s3: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for the user whom pgrevive runs as',
  gs: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an HMAC key of Google Cloud Storage, or AWS_PROFILE',
}

const rightsHints = {
  s3: 'backups need s3:ListBucket of the bucket, s3:GetObject and s3:PutObject of what is below the prefix',
  gs: 'backups need storage.objects.list, .get and .create, and .delete to put again what may have arrived: the role Storage Object User',
}

function explainAnswer(error: S3ServiceException, request: FailedRequest): AppError {
  const [code, message, hint] = explanationOf(error, error.$metadata.httpStatusCode ?? 0, request)
  return new AppError(code, message, { cause: new Error(describeFailure(error)), hint })
}

function explanationOf(error: S3ServiceException, status: number, { what, place }: FailedRequest): Explanation {
  const { bucket, endpoint = 'Amazon S3', region } = place
  switch (error.name) {
    case 'NoSuchBucket':
      return [
        'store-missing',
        `the bucket "${bucket}" does not exist at ${endpoint}`,
        'check the name and the endpoint; pgrevive makes no buckets',
      ]
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return [
        'store-failed',
        `the bucket "${bucket}" is not in ${region === undefined ? 'the region of the settings' : `region ${region}`}`,
        `name its region in the URL of the repository: region=${regionIn(error) ?? '…'}`,
      ]
    case 'InvalidAccessKeyId':
      return ['store-denied', `the store does not know the access key for ${what}`, credentialsHints[place.kind]]
    case 'SignatureDoesNotMatch':
      return ['store-denied', `the secret key for ${what} is wrong`, credentialsHints[place.kind]]
    case 'ExpiredToken':
    case 'InvalidToken':
    case 'TokenRefreshRequired':
      return [
        'store-denied',
        `the session of the credentials for ${what} has expired`,
        'log in again, or renew the token',
      ]
    case clockAnswer:
      return [
        'store-failed',
        `the clocks of this machine and of the store differ too much for ${what}`,
        'set the clock of this machine (timedatectl); S3 refuses what seems to be signed more than 15 minutes ago or ahead',
      ]
    case 'QuotaExceeded':
    case 'XMinioStorageFull':
      return full(what)
    case 'NotImplemented':
    case 'InvalidArgument':
    case 'InvalidRequest':
      return [
        'store-failed',
        `the store does not know what ${what} was asked with`,
        place.lock
          ? 'lock-days=… needs a bucket that was made with Object Lock; an old server may need checksums=off'
          : 'an old server may need checksums=off in the URL of the repository',
      ]
  }
  if (status === 507) return full(what)
  if (status === 401 || status === 403) {
    return ['store-denied', `the credentials have no right for ${what}`, rightsHints[place.kind]]
  }
  if (isTransient(error)) return busy(what)
  return ['store-failed', `the store refused ${what}`, 'check the endpoint, and whether the server is meant for S3']
}

/** The region that the server names, in the body of its answer or in a header. */
function regionIn(error: S3ServiceException): string | undefined {
  if ('Region' in error && typeof error.Region === 'string') return error.Region
  return error.$response?.headers['x-amz-bucket-region']
}
