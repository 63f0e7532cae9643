import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { confirmName } from './confirm-name.ts'
import { Terminal } from './terminal.ts'

/** A person who sees stderr and types `typed`; undefined: nobody. */
function personTyping(typed: string | undefined) {
  const person = { isTTY: typed !== undefined }
  const stdin = Object.assign(new PassThrough(), person)
  const stderr = Object.assign(new PassThrough(), person)
  stdin.end(typed ?? '')
  const options = { json: false, quiet: false, verbose: false, colorRefused: true, environment: {} }
  const terminal = new Terminal({ stdin, stdout: new PassThrough(), stderr }, options)
  return { context: { terminal, signal: new AbortController().signal }, stderr }
}

describe('what is removed is confirmed by its name', () => {
  it('typed at the terminal, which asks for it', async () => {
    const { context, stderr } = personTyping('shop\n')
    await confirmName('shop', undefined, context)
    stderr.end()
    assert.equal(await text(stderr), 'type shop to go on: ')
  })

  it('or given as an option, and then nobody is asked', async () => {
    await confirmName('shop', 'shop', personTyping(undefined).context)
  })

  for (const [what, typed, given] of [
    ['another name', 'shopp\n', undefined],
    ['"yes"', 'yes\n', undefined],
    ['nothing but Enter', '\n', undefined],
    ['the option with another name, even at a terminal', 'shop\n', 'shopp'],
    ['nobody at the terminal', undefined, undefined],
  ] as const) {
    it(`is refused for ${what}`, async () => {
      await assert.rejects(
        confirmName('shop', given, personTyping(typed).context),
        (error) => hasCode(error, 'usage-invalid') && error.hint?.startsWith('nothing was changed') === true,
      )
    })
  }

  it('ends as interrupted when the terminal is closed', async () => {
    await assert.rejects(confirmName('shop', undefined, personTyping('').context), (error) =>
      hasCode(error, 'interrupted'),
    )
  })
})
