import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const iterationLimit = 10_000_000

export interface ScramBinding {
  /** `n`: none, `y`: possible here but not offered by the server, `p=tls-server-end-point`: bound to `data`. */
  readonly flag: 'n' | 'y' | 'p=tls-server-end-point'
  readonly data?: Uint8Array
}

/** The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677). Throws an Error if the server does not know the password. */
export class ScramExchange {
  readonly #password: string
  readonly #binding: ScramBinding
  readonly #nonce = randomBytes(18).toString('base64')
  #expected: Buffer | undefined

  constructor(password: string, binding: ScramBinding) {
    this.#password = password
    this.#binding = binding
  }

  /** The user stands in the startup packet: servers ignore the one in here. */
  get #firstBare(): string {
    return `n=,r=${this.#nonce}`
  }

  firstMessage(): string {
    return `${this.#binding.flag},,${this.#firstBare}`
  }

  async finalMessage(serverFirst: string): Promise<string> {
    const [, nonce = '', salt = '', iterationText = ''] = /^r=([^,]+),s=([^,]+),i=(\d{1,9})$/.exec(serverFirst) ?? []
    const iterations = Number(iterationText)
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce || iterations < 1 || iterations > iterationLimit) {
      throw new Error('the server sent a malformed SCRAM message')
    }
    const header = Buffer.concat([Buffer.from(`${this.#binding.flag},,`), this.#binding.data ?? new Uint8Array()])
    const withoutProof = `c=${header.toString('base64')},r=${nonce}`
    const text = [this.#firstBare, serverFirst, withoutProof].join(',')
    const salted = await promisify(pbkdf2)(
      await prepare(this.#password),
      Buffer.from(salt, 'base64'),
      iterations,
      32,
      'sha256',
    )
    const clientKey = hmac(salted, 'Client Key')
    const signature = hmac(createHash('sha256').update(clientKey).digest(), text)
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0))
    this.#expected = hmac(hmac(salted, 'Server Key'), text)
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`
  }

  verify(serverFinal: string): void {
    const signature = Buffer.from(/^v=([^,]+)/.exec(serverFinal)?.[1] ?? '', 'base64')
    if (this.#expected?.length === signature.length && timingSafeEqual(this.#expected, signature)) return
    throw new Error('the server could not prove that it knows the password')
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Like libpq and the server, takes a password that SASLprep refuses as it is. It changes nothing in plain ASCII. */
async function prepare(password: string): Promise<string> {
  if (/^[ -~]*$/.test(password)) return password
  const { saslprep } = await import('@mongodb-js/saslprep')
  try {
    return saslprep(password)
  } catch {
    return password
  }
}
