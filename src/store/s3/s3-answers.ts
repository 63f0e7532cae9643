import { S3ServiceException } from '@aws-sdk/client-s3'
import type { AbortOptions } from '../object-store.ts'

/** Options of the SDK for a request that may be aborted. */
export function abort({ signal }: AbortOptions): { readonly abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}

/** Whether the server answered with an error of one of these names. */
export function isAnswer(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof S3ServiceException && names.includes(error.name)
}
