import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { generateFiles } from '../../scripts/generate-reference.ts'

const files = await generateFiles()

describe('what is made from the sources', () => {
  for (const [path, expected] of files) {
    it(`${path} is up to date`, async () => {
      const actual = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
      assert.ok(actual === expected, 'run: npm run reference')
    })
  }
})
