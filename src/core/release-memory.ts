import { Buffer } from 'node:buffer'

const worthwhileBytes = 4096

/**
 * Frees the memory behind `bytes` at once, which must have been made for them alone: nobody may look at it any more.
 * The collector would find it too, but late, and looks at everything else each time. Parts of Node's pool are left alone.
 */
export function releaseMemory(bytes: Buffer): void {
  const { buffer } = bytes
  if (buffer.byteLength < worthwhileBytes || buffer.byteLength === Buffer.poolSize) return
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}
