#!/usr/bin/env node
// Plain old JavaScript: Node 12 must be able to parse this file, to be told that it is too old.
'use strict'

const found = process.versions.node
if (Number(found.split('.')[0]) < 24) {
  process.stderr.write(
    'error [node-too-old]: pgrevive needs Node.js 24 or later and this is ' +
      found +
      '; run: npx -p node@24 -p pgrevive pgrevive …\n',
  )
  process.exitCode = 2
} else {
  const fs = require('node:fs')
  const path = require('node:path')
  const url = require('node:url')
  const root = path.join(__dirname, '..')
  // A checkout runs its sources, whatever an earlier build left in dist/; the published package holds no sources.
  const source = path.join(root, 'src', 'cli', 'main.ts')
  const main = fs.existsSync(source) ? source : path.join(root, 'dist', 'cli', 'main.js')
  void import(url.pathToFileURL(main).href)
}
