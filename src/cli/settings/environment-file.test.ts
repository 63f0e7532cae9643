import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseEnvironmentFile, withEnvironmentFile } from './environment-file.ts'

describe('A file of variables', () => {
  it('is data: nothing in a value means anything', () => {
    const text = [
      '# secrets',
      '; too',
      '',
      String.raw`PGPASSWORD=pa$word\x&y z`,
      String.raw`  A="$(id) \"x" b"  `,
      `B='it's # here'\r`,
      'C=',
      'D="',
      `E='a"`,
      'F==#%',
    ].join('\n')
    assert.deepEqual(parseEnvironmentFile(text, 'secrets'), {
      PGPASSWORD: String.raw`pa$word\x&y z`,
      A: String.raw`$(id) \"x" b`,
      B: "it's # here",
      C: '',
      D: '"',
      E: `'a"`,
      F: '=#%',
    })
  })

  it('is refused by the number of its line, without what stands there', () => {
    for (const line of ['export A=s3cret', 'A = s3cret', 's3cret', '1A=s3cret', 'A=s3cret\0']) {
      assert.throws(
        () => parseEnvironmentFile(`X=1\n${line}\n`, 'secrets'),
        (error: Error) => error.message === 'line 2 of secrets is not NAME=value',
      )
    }
  })

  it('counts more than what was set before, and must be there', async () => {
    const surroundings = { inherited: { A: '1' }, currentDirectory: '/nowhere', setVariables: () => assert.fail() }
    assert.equal(await withEnvironmentFile(undefined, surroundings), surroundings.inherited)
    await assert.rejects(withEnvironmentFile('secrets', surroundings), {
      code: 'usage-invalid',
      message: /^\/nowhere\/secrets, which --environment-file names/,
    })
  })
})
