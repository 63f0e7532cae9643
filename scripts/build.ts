import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, glob, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

// Makes dist/, what the published package runs: the sources without their types and without their tests, and the dashboard.

const root = fileURLToPath(new URL('..', import.meta.url))

await rm(`${root}dist`, { recursive: true, force: true })
await run('tsc', '-p', 'tsconfig.build.json')
await run('vite', 'build', 'dashboard')

// The compiler renames what is imported, but not what is only named: `new Worker(new URL('./pg-dump-worker.ts', …))`.
for await (const file of glob(`${root}dist/**/*.js`)) {
  const text = await readFile(file, 'utf8')
  const renamed = text.replaceAll(/(new URL\(['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2')
  if (renamed !== text) await writeFile(file, renamed)
}

// What every repository gets, word for word.
await cp(`${root}src/repository/restore-kit`, `${root}dist/repository/restore-kit`, { recursive: true })

async function run(tool: string, ...args: string[]): Promise<void> {
  const running = spawn(`${root}node_modules/.bin/${tool}`, args, { cwd: root, stdio: 'inherit' })
  const [exitCode] = await once(running, 'exit')
  if (exitCode !== 0) process.exit(1)
}
