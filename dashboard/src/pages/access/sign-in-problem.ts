const known: ReadonlyMap<string, string> = new Map([
  ['no_role', 'The identity provider knows you, and has no role for you here.'],
  ['email_not_verified', 'The identity provider has not verified your e-mail address.'],
  ['account_not_linked', 'There is a local account of this e-mail address: sign in with its password.'],
  ['access_denied', 'The identity provider did not let you in.'],
  ['state_mismatch', 'The sign-in took too long, or began in another window: begin it again.'],
])

/** Of the code in the address, which anyone can write into a link: none of it is shown. */
export function signInProblem(code: string): string {
  return known.get(code) ?? 'The sign-in with the identity provider failed. The audit log says why.'
}
