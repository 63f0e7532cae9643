import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { surveyContainer } from './survey.ts'

const run = promisify(execFile)

/** The shell of this machine in the place of one in a container. */
function surveyHere(environment: Readonly<Record<string, string>>) {
  return surveyContainer({
    exec: async ([, ...args]) => {
      const { stdout, stderr } = await run('/bin/sh', args, {
        env: { PATH: process.env['PATH'] ?? '', PGDATA: '/nowhere', ...environment },
      })
      return { exitCode: 0, output: stdout, errors: stderr }
    },
  })
}

describe('A look around in a container', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pgrevive-survey-'))
  })
  after(() => rm(directory, { recursive: true }))

  it('reads a password as the official image does, whatever is in it', async () => {
    const file = join(directory, 'password')
    for (const password of ['  a\\tb\\n\\\\c $(x) "\'%s \t', '-n', 'one\n two\\', 'ü\r']) {
      for (const end of ['', '\n', '\n\n']) {
        await writeFile(file, password + end)
        assert.equal((await surveyHere({ POSTGRES_PASSWORD_FILE: file })).password, password)
      }
    }
    await writeFile(file, '\n')
    assert.equal((await surveyHere({ POSTGRES_PASSWORD_FILE: file })).password, undefined)
    assert.equal((await surveyHere({})).password, undefined)
  })

  it("reads the server's own word, also of a directory with blanks and backslashes", async () => {
    const lines = ['7', directory, '1700000000', '5433', '/run/a\\tb ', '*', '', 'ready   ']
    await writeFile(join(directory, 'postmaster.pid'), lines.map((line) => `${line}\n`).join(''))
    const { server } = await surveyHere({ PGDATA: directory })
    assert.deepEqual(server, { port: 5433, socketDirectory: '/run/a\\tb ', listen: '*' })
  })
})
