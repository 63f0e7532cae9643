import type { Finding } from '../../core/finding.ts'

/** What a store tells of itself; undefined is what it does not tell these credentials. */
export interface StoreTraits {
  /** Whether it refuses to put what is there already, when it is asked to (`If-None-Match: *`). */
  readonly conditionalPut: boolean | undefined
  readonly versioning: 'on' | 'suspended' | 'off' | undefined
  /** `on`: objects can be locked; else for how long all of them are. */
  readonly objectLock: 'on' | 'off' | { readonly mode: string; readonly period: string } | undefined
}

export function describeTraits({ conditionalPut, versioning, objectLock }: StoreTraits): Finding[] {
  return [
    {
      check: 'conditional put',
      answer: conditionalPut === undefined ? 'unknown' : conditionalPut ? 'yes' : 'no',
      verdict: 'good',
      meaning: 'nothing relies on it: what is written once has a name of its own',
    },
    describeVersioning(versioning),
    describeLock(objectLock),
  ]
}

function describeVersioning(versioning: StoreTraits['versioning']): Finding {
  const check = 'versions are kept'
  switch (versioning) {
    case 'on':
      return {
        check,
        answer: 'yes',
        verdict: 'good',
        meaning: 'what is overwritten or removed can be had back; prune frees space once old versions expire',
      }
    case undefined:
      return {
        check,
        answer: 'unknown',
        verdict: 'note',
        meaning: 'these credentials may not ask (on S3: s3:GetBucketVersioning)',
      }
    case 'off':
    case 'suspended':
      return {
        check,
        answer: versioning === 'off' ? 'no' : versioning,
        verdict: 'note',
        meaning: 'what is overwritten or removed is gone: turn versions on if these credentials could be stolen',
      }
  }
}

function describeLock(objectLock: StoreTraits['objectLock']): Finding {
  const check = 'object lock'
  if (objectLock === undefined) {
    const meaning =
      'these credentials may not ask (on S3: s3:GetBucketObjectLockConfiguration), or the server does not know of locks'
    return { check, answer: 'unknown', verdict: 'note', meaning }
  }
  if (objectLock === 'off') return { check, answer: 'no', verdict: 'good', meaning: 'prune can free space at once' }
  if (objectLock === 'on') {
    const meaning = 'objects could be locked, and none is: lock-days=… in an s3:// URL keeps them from being removed'
    return { check, answer: 'possible', verdict: 'note', meaning }
  }
  return {
    check,
    answer: objectLock.period,
    verdict: 'good',
    meaning: `nothing can be removed for good before (${objectLock.mode}); prune hides it, and it takes space until then`,
  }
}
