import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { gearTableBytes, parseGearTable } from '../chunks/gear-table.ts'

/** What follows from the repository's secret R. Every label is part of the format. */
export interface DerivedKeys {
  /** Names chunks: HMAC-SHA-256. */
  readonly chunkIds: KeyObject
  /** Opens everything but the data itself: AES-256-GCM. */
  readonly metadata: KeyObject
  /** Authenticates what lies in clear text, `config` and the restore kit: HMAC-SHA-256. */
  readonly config: KeyObject
  readonly gearTable: Uint32Array
}

export const repositorySecretBytes = 32

export function deriveKeys(secret: Uint8Array): DerivedKeys {
  return {
    chunkIds: createSecretKey(expand(secret, 'pgrevive/1/chunk-id', 32)),
    metadata: createSecretKey(expand(secret, 'pgrevive/1/metadata', 32)),
    config: createSecretKey(expand(secret, 'pgrevive/1/config', 32)),
    gearTable: parseGearTable(expand(secret, 'pgrevive/1/gear', gearTableBytes)),
  }
}

/** HKDF-SHA-256 with an empty salt; the label is the info. */
function expand(secret: Uint8Array, label: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), label, bytes))
}
