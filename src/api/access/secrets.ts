import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Of 32 bytes that nobody can guess, as text for a link or a header. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What is kept of a random secret: no salt and no slowness are needed where nothing can be guessed. */
export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** What a session sends along with everything that changes something; a page of another site can not read it. */
export function csrfOf(sessionToken: string, secret: string): string {
  return createHmac('sha256', secret).update(`csrf ${sessionToken}`).digest('base64url')
}

export function isSame(one: string, other: string): boolean {
  return timingSafeEqual(hashOf(one), hashOf(other))
}
