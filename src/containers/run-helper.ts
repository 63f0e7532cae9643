import { AppError } from '../core/app-error.ts'
import type { Container } from './container.ts'
import { OutputFrames } from './output-frames.ts'

/**
 * Runs a shell script to its end in a container of its own, of the image of another one, which has no network and sees
 * one directory of the engine's machine as /place. It goes on if pgrevive is killed. Throws `engine-failed` with what
 * the script said if it fails.
 */
export async function runHelper(
  { engine, inspection, name }: Container,
  directory: string,
  script: string,
  words: readonly string[],
): Promise<string> {
  return engine.ask(`a helper beside ${name}`, async (docker) => {
    const helper = await docker.createContainer({
      Image: inspection.Image,
      Entrypoint: ['sh'],
      Cmd: ['-c', script, 'sh', ...words],
      User: '0:0',
      WorkingDir: '/',
      Labels: { 'pgrevive.helper': name },
      HostConfig: {
        NetworkMode: 'none',
        Binds: [`${directory}:/place`],
        // SELinux keeps containers to their own volumes
        SecurityOpt: ['label=disable'],
        // those of the engine may be more than it may grant; podman tells them by the kernel's names
        Ulimits: (inspection.HostConfig.Ulimits ?? []).map(({ Name = '', ...limit }) => ({
          ...limit,
          Name: Name.replace(/^RLIMIT_/, '').toLowerCase(),
        })),
      },
    })
    try {
      await helper.start()
      const { StatusCode } = (await helper.wait()) as { StatusCode: number }
      const log = await helper.logs({ stdout: true, stderr: true, follow: false })
      const said = wordsOf(log)
      if (StatusCode === 0) return said
      throw new AppError(
        'engine-failed',
        `what a helper did in ${directory} failed: ${said || `exit code ${StatusCode}`}`,
        {
          hint: 'nothing was removed; mend what it says, and run the same command again',
        },
      )
    } finally {
      await helper.remove({ force: true })
    }
  })
}

/** What it printed, errors last. */
function wordsOf(log: Buffer): string {
  const errors: Buffer[] = []
  const output = new OutputFrames((bytes) => errors.push(bytes)).unwrap(log)
  return Buffer.concat([...output, ...errors])
    .toString()
    .trim()
}
