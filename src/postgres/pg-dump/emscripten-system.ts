/** Thrown by the module's `exit`. */
export class EmscriptenExit {
  readonly code: number

  constructor(code: number) {
    this.code = code
  }
}

/** What the module throws for longjmp, and looks for where it called setjmp. */
export const longjmp = Infinity

// WASI's numbers
const missingFile = 44
const notSupported = 52
const notTerminal = 59
const absent = ['openat', 'faccessat', 'stat64', 'newfstatat', 'lstat64', 'readlinkat']

type SystemFunction = (...values: never[]) => unknown

/** The operating system of an Emscripten program: stdout, stderr, variables and a clock; no file, no other program. */
export class EmscriptenSystem {
  readonly memory: WebAssembly.Memory
  readonly #variables: readonly Buffer[]
  readonly #output = new Map<number, Uint8Array[]>([
    [1, []],
    [2, []],
  ])

  constructor(memory: WebAssembly.Memory, environment: Readonly<Record<string, string>>) {
    this.memory = memory
    this.#variables = Object.entries(environment).map(([name, value]) => Buffer.from(`${name}=${value}\0`))
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#output.get(1) ?? [])
  }

  get stderr(): Buffer {
    return Buffer.concat(this.#output.get(2) ?? [])
  }

  /** Valid until the memory grows, which any call into the module may make it do. */
  bytes(start: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, start, length)
  }

  view(): DataView {
    return new DataView(this.memory.buffer)
  }

  /** What the module imports under this name. A system call that is not there fails with ENOSYS. */
  function(name: string): SystemFunction {
    return this.#functions[name] ?? (() => -notSupported)
  }

  readonly #functions: Readonly<Record<string, SystemFunction>> = {
    proc_exit: (code: number) => {
      throw new EmscriptenExit(code)
    },
    _abort_js: () => {
      throw new Error('it called abort()')
    },
    _emscripten_throw_longjmp: () => {
      throw longjmp
    },
    emscripten_resize_heap: (sizeBytes: number) => {
      this.memory.grow(Math.ceil((sizeBytes - this.memory.buffer.byteLength) / 65_536))
      return 1
    },
    emscripten_date_now: () => Date.now(),
    emscripten_get_now: () => performance.now(),
    clock_time_get: (_clock: number, _precision: bigint, result: number) => {
      this.view().setBigInt64(result, BigInt(Date.now()) * 1_000_000n, true)
      return 0
    },
    _mktime_js: () => 0n,
    environ_sizes_get: (count: number, sizeBytes: number) => {
      this.view().setUint32(count, this.#variables.length, true)
      this.view().setUint32(sizeBytes, Buffer.concat(this.#variables).length, true)
      return 0
    },
    environ_get: (pointers: number, text: number) => this.#writeVariables(pointers, text),
    fd_write: (fd: number, vectors: number, count: number, written: number) => this.#write(fd, vectors, count, written),
    fd_close: () => 0,
    fd_sync: () => 0,
    __syscall_socket: () => 3,
    // pg_dump opens a copy of stdout to write to.
    __syscall_dup: (fd: number) => fd,
    __syscall_fcntl64: () => 0,
    __syscall_ioctl: () => -notTerminal,
    ...Object.fromEntries(absent.map((name) => [`__syscall_${name}`, () => -missingFile])),
  }

  #writeVariables(pointers: number, text: number): number {
    let at = text
    for (const [index, variable] of this.#variables.entries()) {
      this.view().setUint32(pointers + 4 * index, at, true)
      this.bytes(at, variable.length).set(variable)
      at += variable.length
    }
    return 0
  }

  #write(fd: number, vectors: number, count: number, written: number): number {
    const view = this.view()
    let total = 0
    for (let at = vectors; at < vectors + 8 * count; at += 8) {
      const piece = this.bytes(view.getUint32(at, true), view.getUint32(at + 4, true))
      this.#output.get(fd)?.push(piece.slice())
      total += piece.length
    }
    view.setUint32(written, total, true)
    return 0
  }
}
