import { readFileSync } from 'node:fs'
import { EmscriptenExit, EmscriptenSystem, longjmp } from './emscripten-system.ts'

/** What pg_dump takes for its socket. */
export interface PgDumpSocket {
  send(bytes: Uint8Array): void
  /** Fills `buffer` from its start and returns the number of bytes; 0 says that the server has gone. */
  receive(buffer: Uint8Array): number
  /** Whether `receive` would return at once. */
  readonly ready: boolean
}

export interface PgDumpOutcome {
  readonly exitCode: number
  readonly stdout: Uint8Array
  readonly stderr: string
}

/**
 * Runs the pg_dump 18 that @electric-sql/pglite-tools ships for PGlite, against whatever stands behind `socket`, until
 * it exits. Blocks the thread. The package's own JavaScript is not used: it hands the dump over as UTF-8 text, joins
 * messages without line ends, reads a reply only once all of it is there, and gives a program that recurses 64 KB of
 * stack.
 */
export function runPgDumpModule(
  programArguments: readonly string[],
  environment: Readonly<Record<string, string>>,
  socket: PgDumpSocket,
): PgDumpOutcome {
  const system = new EmscriptenSystem(new WebAssembly.Memory(memoryPages), environment)
  const exitCode = new PgDumpModule(system, socket).run(programArguments)
  // It looks for itself on its PATH, to find translations.
  const stderr = system.stderr.toString().replace(/^could not find a "pg_dump" to execute\n/, '')
  return { exitCode, stdout: system.stdout, stderr }
}

// As the module declares them, and where it is put into its memory and its table.
const memoryPages = { initial: 1024, maximum: 32_768 }
const memoryBase = 1024
const tableBase = 1
const stackBytes = 8 << 20
const wouldBlock = 6

/** An Emscripten main module, which knows a socket only as the two functions of PGlite's `pgl_set_rw_cbs`. */
class PgDumpModule {
  readonly #system: EmscriptenSystem
  readonly #socket: PgDumpSocket
  readonly #table: WebAssembly.Table
  readonly #exports: WebAssembly.Exports
  #polled = false

  constructor(system: EmscriptenSystem, socket: PgDumpSocket) {
    this.#system = system
    this.#socket = socket
    const url = new URL('pg_dump.wasm', import.meta.resolve('@electric-sql/pglite-tools/pg_dump'))
    const module = new WebAssembly.Module(readFileSync(url))
    const { memoryBytes, tableEntries } = readDylinkSection(module)
    this.#table = new WebAssembly.Table({ initial: tableBase + tableEntries, element: 'anyfunc' })
    const stackTop = (memoryBase + memoryBytes + stackBytes) & ~15
    this.#exports = new WebAssembly.Instance(module, this.#imports(module, stackTop)).exports
    this.#call('__wasm_apply_data_relocs')
    this.#call('__wasm_call_ctors')
    const receive = this.#addFunction((start, length) => this.#receive(start, length))
    const send = this.#addFunction((start, length) => this.#send(start, length))
    this.#call('pgl_set_rw_cbs', receive, send)
  }

  /** Returns the exit code. */
  run(programArguments: readonly string[]): number {
    const values = ['pg_dump', ...programArguments].map((text) => this.#allocate(Buffer.from(`${text}\0`)))
    const argv = this.#allocate(Buffer.from(Uint32Array.from([...values, 0]).buffer))
    try {
      return this.#exit(this.#call('__main_argc_argv', values.length, argv))
    } catch (error) {
      if (error instanceof EmscriptenExit) return error.code
      throw error
    }
  }

  #imports(module: WebAssembly.Module, stackTop: number): WebAssembly.Imports {
    const global = (value: number, mutable: boolean) => new WebAssembly.Global({ value: 'i32', mutable }, value)
    const imports: WebAssembly.Imports = {
      env: {
        memory: this.#system.memory,
        __indirect_function_table: this.#table,
        __memory_base: global(memoryBase, false),
        __table_base: global(tableBase, false),
        __stack_pointer: global(stackTop, true),
      },
      'GOT.mem': { __heap_base: global(stackTop, true) },
    }
    for (const { module: group, name, kind } of WebAssembly.Module.imports(module)) {
      if (kind === 'function') imports[group] = { ...imports[group], [name]: this.#importedFunction(name) }
    }
    return imports
  }

  #importedFunction(name: string): (...values: never[]) => unknown {
    if (name === 'exit') return (code: number) => this.#exit(code)
    if (name.startsWith('invoke_')) return (index: number, ...values: number[]) => this.#invoke(index, values)
    return this.#system.function(name)
  }

  #call(name: string, ...values: number[]): number {
    const found: unknown = this.#exports[name]
    if (typeof found === 'function') return Number(found(...values))
    throw new Error(`pg_dump.wasm has no function ${name}`)
  }

  #exit(code: number): never {
    this.#call('__funcs_on_exit')
    this.#call('fflush', 0)
    throw new EmscriptenExit(code)
  }

  /** Calls a function that may be left by longjmp. */
  #invoke(index: number, values: readonly number[]): unknown {
    const stack = this.#call('emscripten_stack_get_current')
    try {
      const found: unknown = this.#table.get(index)
      return typeof found === 'function' ? found(...values) : undefined
    } catch (error) {
      this.#call('_emscripten_stack_restore', stack)
      if (error !== longjmp) throw error
      return this.#call('setThrew', 1, 0)
    }
  }

  /**
   * libpq reads until nothing is left and then polls, which always succeeds here. So the first read that finds nothing
   * says so, and the second one waits.
   */
  #receive(start: number, length: number): number {
    if (!this.#polled && !this.#socket.ready) {
      this.#polled = true
      this.#system.view().setInt32(this.#call('__errno_location'), wouldBlock, true)
      return -1
    }
    this.#polled = false
    return this.#socket.receive(this.#system.bytes(start, length))
  }

  #send(start: number, length: number): number {
    this.#socket.send(this.#system.bytes(start, length).slice())
    return length
  }

  #allocate(data: Uint8Array): number {
    const start = this.#call('malloc', data.length)
    this.#system.bytes(start, data.length).set(data)
    return start
  }

  /** A table holds only WebAssembly functions, so the call goes through a module that imports and exports it. */
  #addFunction(call: (start: number, length: number) => number): number {
    // (module (import "e" "f" (func (param i32 i32) (result i32))) (export "f" (func 0)))
    const code = '0061736d0100000001070160027f7f017f02070101650166000007050101660000'
    const wrapper = new WebAssembly.Module(Uint8Array.from(Buffer.from(code, 'hex')))
    const index = this.#table.grow(1)
    this.#table.set(index, new WebAssembly.Instance(wrapper, { e: { f: call } }).exports['f'])
    return index
  }
}

/** What the module needs, from the first part of its "dylink.0" section. */
function readDylinkSection(module: WebAssembly.Module): { memoryBytes: number; tableEntries: number } {
  const data = new Uint8Array(WebAssembly.Module.customSections(module, 'dylink.0')[0] ?? [])
  const numbers: number[] = []
  let [value, shift] = [0, 0]
  for (const byte of data.subarray(1)) {
    value |= (byte & 0x7f) << shift
    shift += 7
    if (byte >= 0x80) continue
    numbers.push(value)
    value = shift = 0
  }
  const [_partBytes, memoryBytes = 0, _memoryAlignment, tableEntries = 0] = numbers
  return { memoryBytes, tableEntries }
}
