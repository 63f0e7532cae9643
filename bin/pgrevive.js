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
  keepCompiledCode()
  const root = path.join(__dirname, '..')
  // A checkout runs its sources, whatever an earlier build left in dist/; the published package holds no sources.
  const source = path.join(root, 'src', 'cli', 'main.ts')
  const main = fs.existsSync(source) ? source : path.join(root, 'dist', 'cli', 'main.js')
  void import(url.pathToFileURL(main).href)
}

// What was compiled once is not compiled again: a command starts in half the time. Code is only taken from a folder
// that nobody else can write to, which Node's own choice in /tmp is not. NODE_COMPILE_CACHE takes precedence.
function keepCompiledCode() {
  const fs = require('node:fs')
  const path = require('node:path')
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME && path.join(process.env.HOME, '.cache'))
  if (!home || !path.isAbsolute(home) || !process.geteuid) return
  const folder = path.join(home, 'pgrevive', 'compiled')
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    const info = fs.lstatSync(folder)
    if (!info.isDirectory() || info.uid !== process.geteuid() || (info.mode & 0o022) !== 0) return
  } catch {
    return // a home that is not there or can not be written to only costs time
  }
  require('node:module').enableCompileCache(folder)
}
