import { type PgDump, choosePgDump } from '../postgres/pg-dump/pg-dump.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import type { Manifest } from '../repository/backups/manifest.ts'

/**
 * The pg_dump that printed a backup's schema text: only the same program, from a server of the same major version, prints
 * text that can be compared with it. Where there is none, `onNote` is told why.
 */
export async function choosePgDumpLike(
  { pgDump, server }: Manifest,
  major: number,
  options: {
    readonly environment: Environment
    /** What brings the missing major version, where that is to be had. */
    readonly remedy?: string | undefined
    readonly onNote: (note: string) => void
    readonly signal?: AbortSignal | undefined
  },
): Promise<PgDump | undefined> {
  const sourceMajor = Math.floor(server.versionNumber / 10000)
  if (major !== sourceMajor) {
    const remedy = options.remedy === undefined ? '' : `; ${options.remedy}`
    options.onNote(`the schema text was not compared: the server has another major version${remedy}`)
    return undefined
  }
  const chosen = await choosePgDump(sourceMajor, pgDump.kind === 'bundled' ? 'bundled' : 'auto', options)
  if (chosen.kind === pgDump.kind && chosen.version === pgDump.version) return chosen
  options.onNote(
    `the schema text was not compared: it was printed by ${pgDump.kind} pg_dump ${pgDump.version}, which is not here`,
  )
  return undefined
}
