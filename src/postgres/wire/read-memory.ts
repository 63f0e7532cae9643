import type { OnReadOpts, Socket } from 'node:net'

/** As much as Node asks the kernel for at once. */
const readBytes = 64 * 1024
/** Less is copied, so that short answers do not hold on to so much. */
const worthKeepingBytes = 8 * 1024
/** What stays for the next reads; more would only lie about. */
const mostSpare = 32
const spare: Buffer[] = []
/** Length and offset do not tell: Node's own pool for small buffers looks the same. */
const reusable = new WeakSet<ArrayBufferLike>()

/**
 * Options for a socket that reads into memory which can be used again; it emits `data` like any other. Otherwise Node
 * allocates 64 KiB for each read, and in a COPY the garbage collector costs as much as the reading.
 */
export function reusedMemory(socket: () => Socket): OnReadOpts {
  return {
    buffer: () => spare.pop() ?? allocate(),
    callback: (bytes, memory) => {
      const read = (memory as Buffer).subarray(0, bytes) // as: it is what `buffer` gave
      if (bytes < worthKeepingBytes) {
        socket().emit('data', Buffer.from(read))
        giveBack(read)
      } else {
        socket().emit('data', read)
      }
      return true // who listens pauses the socket itself
    },
  }
}

/** Lets the memory of a read be used again if `bytes` begins where it does. Nothing may look at any of it any more. */
export function giveBack(bytes: Buffer): void {
  if (bytes.byteOffset !== 0 || !reusable.has(bytes.buffer) || spare.length === mostSpare) return
  spare.push(Buffer.from(bytes.buffer))
}

function allocate(): Buffer {
  const memory = Buffer.allocUnsafeSlow(readBytes)
  reusable.add(memory.buffer)
  return memory
}
