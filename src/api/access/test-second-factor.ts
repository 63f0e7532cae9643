import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { type TestClient, goodPassword } from '../test-api.ts'

/** What an authenticator needs, and the recovery codes; its first code turns it on. */
export async function beginSecondFactor(person: TestClient): Promise<{ totpURI: string; backupCodes: string[] }> {
  const answer = await person.ask('POST', '/api/auth/two-factor/enable', { password: goodPassword })
  return z.object({ totpURI: z.string(), backupCodes: z.array(z.string()) }).parse(answer.body)
}

/** RFC 6238, as an authenticator does it: the code of now, or of a step of 30 seconds after. */
export function totp(uri: string, stepsAhead = 0): string {
  const bits = Array.from(new URL(uri).searchParams.get('secret') ?? '')
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + stepsAhead))
  const mac = createHmac('sha1', key).update(counter).digest()
  const value = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff
  return String(value % 1_000_000).padStart(6, '0')
}
