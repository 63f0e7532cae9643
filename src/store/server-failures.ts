import { AppError, type ErrorCode, messageOf } from '../core/app-error.ts'

/** What an error of a store says of an answer. */
export type Explanation = readonly [code: ErrorCode, message: string, hint: string]

const networkCode = /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENET\w+|ENOTFOUND|EAI_AGAIN|ERR_STREAM_PREMATURE_CLOSE)$/
const tlsCode = /^(EPROTO|ERR_(TLS|SSL)_\w+|CERT_\w+|UNABLE_TO_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+)$/

/** Of a server that may do better in a moment. */
export const transientStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

export function isNetworkFailure(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || networkCode.test(codeOf(error)))
}

/** Undefined if it is neither the network nor TLS that failed. */
export function explainConnection(error: unknown, what: string, server: string): AppError | undefined {
  // in words: errors of an SDK may carry requests, and those what lets somebody in
  const cause = new Error(firstLineOf(error))
  if (isNetworkFailure(error)) {
    return new AppError('store-unreachable', `${server} can not be reached for ${what}`, {
      cause,
      hint: 'check the endpoint and the network; what was stored is safe: run the same command again',
    })
  }
  if (tlsCode.test(codeOf(error))) {
    return new AppError('store-unreachable', `no TLS with ${server}: ${firstLineOf(error)}`, {
      cause,
      hint: 'is it http:// or https://? a certificate authority of your own is named by NODE_EXTRA_CA_CERTS=FILE',
    })
  }
  return undefined
}

export function full(what: string): Explanation {
  return [
    'store-full',
    `no space left for ${what}`,
    'nothing that was stored before is touched; free space or raise the quota, and run the same command again',
  ]
}

export function busy(what: string): Explanation {
  return [
    'store-unreachable',
    `the store was too busy for ${what}, again and again`,
    'what was stored is safe: run the same command again later',
  ]
}

/** What it says, or its code: some say nothing. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] || codeOf(error)
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
