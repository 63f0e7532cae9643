/**
 * For programs that need to be found and nothing else: pgrevive's own environment holds passwords and passphrases, and
 * whoever may look at a process sees its environment.
 */
export function bareEnvironment(): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], LC_ALL: 'C' }
}

/**
 * A command that runs a program which leaves no core file: its memory holds what a backup does. Node can not set limits,
 * a shell can; the program takes the shell's place, with its process id. Where the kernel pipes cores to a program, that
 * one decides; systemd-coredump obeys the limit.
 */
export function withoutCoreFile([program = '', ...args]: readonly string[]): [program: string, args: string[]] {
  return ['/bin/sh', ['-c', 'ulimit -c 0; exec "$0" "$@"', program, ...args]]
}
