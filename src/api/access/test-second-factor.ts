import { z } from 'zod'
import { type TestClient, goodPassword } from '../test-api.ts'
import { totp } from './test-totp.ts'

/** What an authenticator needs, and the recovery codes; its first code turns it on. */
export async function beginSecondFactor(person: TestClient): Promise<{ totpURI: string; backupCodes: string[] }> {
  const answer = await person.ask('POST', '/api/auth/two-factor/enable', { password: goodPassword })
  return z.object({ totpURI: z.string(), backupCodes: z.array(z.string()) }).parse(answer.body)
}

/** The code of now, or of a step of 30 seconds after, that an authenticator shows for what `beginSecondFactor` gave. */
export function shownCode(totpURI: string, stepsAhead = 0): string {
  return totp(new URL(totpURI).searchParams.get('secret') ?? '', Date.now() + stepsAhead * 30_000)
}
