/** Compiles src/postgres/row-walker.wat into src/postgres/row-walker-wasm.ts. */
import { readFile, writeFile } from 'node:fs/promises'
import wabt from 'wabt'

const source = new URL('../src/postgres/row-walker.wat', import.meta.url)
const tools = await wabt()
const module = tools.parseWat('row-walker.wat', await readFile(source), { bulk_memory: true })
const { buffer } = module.toBinary({})
await writeFile(
  new URL('../src/postgres/row-walker-wasm.ts', import.meta.url),
  `// Generated from row-walker.wat by "npm run compile:wasm". Do not edit.\n` +
    `export const rowWalkerWasm = '${Buffer.from(buffer).toString('base64')}'\n`,
)
