import childProcess from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { promisify } from 'node:util'
import { isMainThread } from 'node:worker_threads'

// Preloaded into pgrevive by tests (`node --import`). Counts the durable steps of the run: every call of Node that changes
// a file, starts a program, or sends a statement that changes something on a server. Nothing has to be added when code
// is: what is not known to only read is a step. PGREVIVE_TEST_STEPS names a file that lists them; at the step whose
// number is PGREVIVE_TEST_KILL_AT, or the first whose name that matches, the process kills itself as `kill -9` does.

const killAt = process.env['PGREVIVE_TEST_KILL_AT'] ?? '0'
const isToKill = /^\d+$/.test(killAt)
  ? (count: number) => count === Number(killAt)
  : (_: number, name: string) => new RegExp(killAt).test(name)
const listPath = process.env['PGREVIVE_TEST_STEPS']
const list = listPath === undefined ? undefined : fs.openSync(listPath, 'a')
let count = 0

function step(step: string): void {
  const name = step.replaceAll(/\s+/g, ' ').slice(0, 200)
  if (list !== undefined) fs.writeSync(list, `${name}\n`)
  if (isToKill(++count, name)) process.kill(process.pid, 'SIGKILL')
}

type Call = (this: unknown, ...args: unknown[]) => unknown
type Module = Record<string, unknown>

/** Replaces functions of `module` by ones that take a step first. */
function countCalls(module: object, names: Iterable<string>, prefix: string): void {
  const functions = module as Module
  for (const name of names) {
    const original = functions[name]
    if (typeof original !== 'function') continue
    functions[name] = function (this: unknown, ...args: unknown[]) {
      step(`${prefix}${name} ${describe(args)}`)
      return (original as Call).apply(this, args)
    }
  }
}

function describe(args: readonly unknown[]): string {
  return args.filter((value) => typeof value === 'string').join(' ')
}

const onlyReads =
  /^(access|close|constants|exists|fstat|glob|lstat|open|opendir|openAsBlob|promises|read|readdir|readFile|readlink|readv|realpath|stat|statfs|unwatchFile|watch|watchFile|createReadStream|writeSync|writevSync|_.*|[A-Z].*)(Sync)?$/

function countFileSystem(): void {
  for (const module of [fs, fs.promises]) {
    countCalls(
      module,
      Object.keys(module).filter((name) => !onlyReads.test(name)),
      'file: ',
    )
  }
  const { open } = fs.promises
  let isPrepared = false
  fs.promises.open = async (path, flags, mode) => {
    const reads =
      flags === undefined || flags === 'r' || (typeof flags === 'number' && (flags & 3) === fs.constants.O_RDONLY)
    if (!reads) step(`file: open ${String(path)} ${String(flags)}`)
    const handle = await open(path, flags, mode)
    if (!isPrepared) {
      isPrepared = true
      const changing = [
        'appendFile',
        'chmod',
        'chown',
        'datasync',
        'sync',
        'truncate',
        'utimes',
        'write',
        'writeFile',
        'writev',
      ]
      countCalls(Object.getPrototypeOf(handle) as object, changing, 'handle: ')
    }
    return handle
  }
}

/** Two steps each: before it is there, and when it is. Programs that only tell something are none. */
function countPrograms(): void {
  const functions = childProcess as unknown as Module
  for (const name of ['spawn', 'exec', 'execFile', 'fork']) {
    const original = functions[name] as Call & { [promisify.custom]?: Call }
    const around = (call: Call) =>
      function (this: unknown, ...args: unknown[]) {
        const command = [args[0], ...(Array.isArray(args[1]) ? args[1] : [])].join(' ')
        if (/--version|^id |^ps /.test(command)) return call.apply(this, args)
        step(`program: ${command}`)
        const started = call.apply(this, args)
        step(`program runs: ${command}`)
        return started
      }
    const promised = original[promisify.custom]
    functions[name] = Object.assign(around(original), promised && { [promisify.custom]: around(promised) })
  }
}

const changesNothing = /^(|(SELECT|SHOW|SET|RESET|LOCK|DECLARE|FETCH|ROLLBACK|BEGIN)\b[^]*|COPY\b[^]*TO STDOUT)$/
const changesAllTheSame = /setval|nextval|lo_(create|put|unlink|from_bytea|import|truncate)|lowrite|advisory|terminate/

function changesSomething(sql: string): boolean {
  return changesAllTheSame.test(sql) || !sql.split(';').every((statement) => changesNothing.test(statement.trim()))
}

function changingStatement(bytes: unknown): string | undefined {
  if (!(bytes instanceof Uint8Array) || bytes.length < 5) return undefined
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (message.readUInt32BE(1) + 1 !== message.length) return undefined
  if (message[0] === 'c'.charCodeAt(0)) return 'end of COPY'
  if (message[0] !== 'Q'.charCodeAt(0)) return undefined
  const sql = message.toString('utf8', 5, message.length - 1)
  return changesSomething(sql) ? sql : undefined
}

/** Two steps each: before the server knows of it, and when it does. */
function countStatements(): void {
  const sockets = net.Socket.prototype as unknown as { write: Call }
  const original = sockets.write
  sockets.write = function (...args) {
    const sql = changingStatement(args[0])
    if (sql !== undefined) step(`sql: ${sql}`)
    const hasRoom = original.apply(this, args)
    if (sql !== undefined) step(`sql sent: ${sql}`)
    return hasRoom
  }
}

if (isMainThread) {
  countFileSystem()
  countPrograms()
  countStatements()
  syncBuiltinESMExports()
  process.on('exit', () => step('end'))
}
