import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '../core/app-error.ts'
import { type AzurePlace, formatAzurePlace, parseAzurePlace } from './azure/azure-place.ts'
import { type S3Place, formatS3Place, parseGsPlace, parseS3Place } from './s3/s3-place.ts'
import { type SftpPlace, formatSftpPlace, parseSftpPlace } from './sftp/sftp-place.ts'

/** Where a store is, as `--repo` and the configuration name it. */
export type StorePlace = { readonly kind: 'directory'; readonly path: string } | S3Place | AzurePlace | SftpPlace

const urlPattern = /^([a-z][a-z0-9+.-]*):\/\//i

/** Whether it is no path. */
export function isStoreUrl(text: string): boolean {
  return urlPattern.test(text)
}

/** A path, relative to `directory`, or a URL. Throws `usage-invalid`; what is wrong with a URL may be secret and is not told. */
export function parseStorePlace(text: string, directory: string): StorePlace {
  const [, scheme] = urlPattern.exec(text) ?? []
  switch (scheme?.toLowerCase()) {
    case undefined:
      return { kind: 'directory', path: resolve(directory, text) }
    case 'file':
      return { kind: 'directory', path: pathOf(text) }
    case 's3':
      return parseS3Place(text)
    case 'gs':
      return parseGsPlace(text)
    case 'azure':
      return parseAzurePlace(text)
    case 'sftp':
      return parseSftpPlace(text)
    default:
      throw new AppError('usage-invalid', `there are no repositories at ${scheme}:// places`, {
        hint: 'name a directory, file:///path, s3://bucket/prefix?endpoint=…&region=…, gs://bucket/prefix, azure://container/prefix?account=…, or sftp://user@host/path',
      })
  }
}

/** As a store tells its `location`, without being opened; holds no secret. */
export function formatStorePlace(place: StorePlace): string {
  switch (place.kind) {
    case 'directory':
      return place.path
    case 's3':
    case 'gs':
      return formatS3Place(place)
    case 'azure':
      return formatAzurePlace(place)
    case 'sftp':
      return formatSftpPlace(place)
  }
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw new AppError('usage-invalid', 'the file:// URL names no path on this machine', {
      cause: error,
      hint: 'write file:///path, with three slashes',
    })
  }
}
