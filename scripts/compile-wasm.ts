/** Compiles every .wat file of src/postgres/copy/ into a module beside it that holds it as text. */
import { glob, readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const tools = await wabt()
for await (const path of glob(fileURLToPath(new URL('../src/postgres/copy/*.wat', import.meta.url)))) {
  const name = basename(path, '.wat')
  const { buffer } = tools.parseWat(path, await readFile(path), { bulk_memory: true, simd: true }).toBinary({})
  const constant = name.replaceAll(/-./g, (letter) => letter.slice(1).toUpperCase()) + 'Wasm'
  await writeFile(
    path.replace(/\.wat$/, '-wasm.ts'),
    `// Generated from ${name}.wat by "npm run compile:wasm". Do not edit.\n` +
      `export const ${constant} = '${Buffer.from(buffer).toString('base64')}'\n`,
  )
}
