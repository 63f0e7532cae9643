import { AppError } from '../../core/app-error.ts'
import { endpointSchema } from '../place-url.ts'
import { readSecret } from '../../core/read-secret.ts'
import { type AzurePlace, formatAzurePlace } from './azure-place.ts'

/** A server, and what lets pgrevive in: the key of the account, or a shared access signature without its `?`. */
export type AzureAccess = { readonly endpoint: string } & (
  | { readonly kind: 'key'; readonly account: string; readonly key: string }
  | { readonly kind: 'sas'; readonly sas: string }
)

type Environment = Readonly<Record<string, string | undefined>>

interface Found {
  readonly account?: string | undefined
  readonly endpoint?: string | undefined
  readonly key?: string | undefined
  readonly sas?: string | undefined
}

/** Where credentials come from; behind each name with `_FILE`, the file that holds it. */
const connectionVariable = 'AZURE_STORAGE_CONNECTION_STRING'
const keyVariable = 'AZURE_STORAGE_KEY'
const sasVariable = 'AZURE_STORAGE_SAS_TOKEN'

export const credentialsHint =
  `set ${keyVariable} and AZURE_STORAGE_ACCOUNT, ${sasVariable} or ${connectionVariable}; ` +
  `or one of the three with _FILE to the name of a file that holds it`

/**
 * What the environment says of a place, under the names that Azure's own command line reads: the connection string if
 * there is one, else the key, else the signature. Throws `store-denied` when nothing does, and `usage-invalid` when no
 * account is named or two are.
 */
export async function findAzureAccess(place: AzurePlace, environment: Environment): Promise<AzureAccess> {
  const location = formatAzurePlace(place)
  const connection = await readSecret(connectionVariable, environment, 'store-denied')
  const found: Found =
    connection === undefined
      ? {
          account: environment['AZURE_STORAGE_ACCOUNT'] || undefined,
          key: await readSecret(keyVariable, environment, 'store-denied'),
          sas: await readSecret(sasVariable, environment, 'store-denied'),
        }
      : readConnectionString(connection)
  if (connection !== undefined && place.account !== undefined && (found.account ?? place.account) !== place.account) {
    throw new AppError('usage-invalid', `${location} is in another account than ${connectionVariable} names`, {
      hint: `leave account=… out of the URL, or unset ${connectionVariable}`,
    })
  }
  const account = place.account ?? found.account
  const endpoint = place.endpoint ?? found.endpoint ?? (account && `https://${account}.blob.core.windows.net`)
  if (found.key === undefined && found.sas === undefined) {
    throw new AppError('store-denied', `no credentials for ${location} were found`, { hint: credentialsHint })
  }
  if (endpoint === undefined || (found.key !== undefined && account === undefined)) {
    throw new AppError('usage-invalid', `no storage account for ${location} is named`, {
      hint: 'add account=NAME to the URL of the repository, or set AZURE_STORAGE_ACCOUNT',
    })
  }
  if (found.key !== undefined && account !== undefined) return { kind: 'key', endpoint, account, key: found.key }
  return { kind: 'sas', endpoint, sas: found.sas?.replace(/^\?/, '') ?? '' }
}

/** `AccountName=…;AccountKey=…;EndpointSuffix=…`, or `BlobEndpoint=…;SharedAccessSignature=…`. */
function readConnectionString(text: string): Found {
  const settings = new Map(
    text.split(';').map((pair) => {
      const [name = '', ...value] = pair.trim().split('=')
      return [name.toLowerCase(), value.join('=')]
    }),
  )
  const account = settings.get('accountname')
  const named = settings.get('blobendpoint')
  const parsed = named === undefined ? undefined : endpointSchema.safeParse(named)
  if ((account === undefined && named === undefined) || parsed?.success === false) {
    throw new AppError('store-denied', `${connectionVariable} is no connection string of a storage account`, {
      hint: 'copy it again: it has AccountName=… and AccountKey=…, or BlobEndpoint=… and SharedAccessSignature=…, with ; between',
    })
  }
  const protocol = settings.get('defaultendpointsprotocol') ?? 'https'
  const suffix = settings.get('endpointsuffix') ?? 'core.windows.net'
  return {
    account,
    endpoint: parsed?.data ?? `${protocol}://${account}.blob.${suffix}`,
    key: settings.get('accountkey'),
    sas: settings.get('sharedaccesssignature'),
  }
}
