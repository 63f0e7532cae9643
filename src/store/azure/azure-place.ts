import { z } from 'zod'
import { endpointSchema, formatPlaceUrl, parsePlaceUrl, prefixSchema } from '../place-url.ts'

/** A folder of a container. */
export interface AzurePlace {
  readonly kind: 'azure'
  readonly container: string
  /** Empty, or a folder name that ends in `/`. */
  readonly prefix: string
  /** The storage account; undefined: what the environment says. */
  readonly account: string | undefined
  /** `https://ACCOUNT.blob.example.org`, or `http://127.0.0.1:10000/ACCOUNT`. Undefined: what the environment says, or Microsoft's. */
  readonly endpoint: string | undefined
}

const schema = z.object({
  // https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
  container: z.string().regex(/^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/, 'is no name of a container'),
  prefix: prefixSchema,
  options: z.strictObject({
    account: z
      .string()
      .regex(/^[a-z0-9]{3,24}$/, 'is no name of a storage account')
      .optional(),
    endpoint: endpointSchema.optional(),
  }),
})

const hint =
  'write azure://container/prefix?account=NAME, and &endpoint=https://… where the server is not Microsoft’s; credentials come from ' +
  'AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING'

/** Throws `usage-invalid`, without what the URL holds. */
export function parseAzurePlace(text: string): AzurePlace {
  const { container, prefix, options } = parsePlaceUrl(text, schema, { holder: 'container', hint })
  return { kind: 'azure', container, prefix, account: options.account, endpoint: options.endpoint }
}

/** The URL of a place, which is read as the same. */
export function formatAzurePlace({ container, prefix, account, endpoint }: AzurePlace): string {
  const server = endpoint === undefined ? undefined : encodeURI(endpoint)
  return formatPlaceUrl('azure', container, prefix, { account, endpoint: server })
}
