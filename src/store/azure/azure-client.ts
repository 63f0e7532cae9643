import { createHash } from 'node:crypto'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import {
  AnonymousCredential,
  ContainerClient,
  RestError,
  StorageSharedKeyCredential,
  type WebResource,
  newPipeline,
} from '@azure/storage-blob'
import type { AzureAccess } from './azure-access.ts'

/** How long to wait for a server that can not be reached, and for one that neither says nor takes anything. */
export interface AzurePatience {
  readonly connectMs: number
  readonly silenceMs: number
}

export function createContainerClient(
  container: string,
  access: AzureAccess,
  patience: AzurePatience,
): ContainerClient {
  const credential =
    access.kind === 'key' ? new StorageSharedKeyCredential(access.account, access.key) : new AnonymousCredential()
  const pipeline = newPipeline(credential, { retryOptions: { maxTries: 1 } }) // the store tries again by itself
  const agent = watchingAgent(access.endpoint, patience)
  pipeline.factories.push({
    create: (next) => ({ sendRequest: (request) => next.sendRequest(prepare(request, agent)).catch(tellBrokenAnswer) }),
  })
  const query = access.kind === 'sas' ? `?${access.sas}` : ''
  return new ContainerClient(`${access.endpoint}/${container}${query}`, pipeline)
}

/** Has the server compare what arrives with its MD5, which the SDK would only for a checksum that not all servers know. */
function prepare(request: WebResource, agent: HttpAgent): WebResource {
  request.agent = agent
  const { body } = request
  if (Buffer.isBuffer(body)) request.headers.set('Content-MD5', createHash('md5').update(body).digest('base64'))
  return request
}

/** The SDK takes an answer that breaks off for one that is nonsense. */
function tellBrokenAnswer(error: unknown): never {
  if (error instanceof RestError && error.message.startsWith('Error reading response as text'))
    error.code = 'ECONNRESET'
  throw error
}

/** Ends connections that are silent for too long, which the SDK does not. */
function watchingAgent(endpoint: string, { connectMs, silenceMs }: AzurePatience): HttpAgent {
  const options = { keepAlive: true, timeout: silenceMs }
  const agent = endpoint.startsWith('https:') ? new HttpsAgent(options) : new HttpAgent(options)
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (to, callback) => {
    const socket = connect(to, callback)
    if (!socket) return socket
    const end = (problem: string) => socket.destroy(Object.assign(new Error(problem), { code: 'ETIMEDOUT' }))
    const timer = setTimeout(() => end('no connection in time'), connectMs)
    return socket
      .once('connect', () => clearTimeout(timer))
      .once('close', () => clearTimeout(timer))
      .on('timeout', () => end('the server was silent for too long'))
  }
  return agent
}
