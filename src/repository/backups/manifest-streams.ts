import type { StreamRef } from '../chunks/stream-ref.ts'
import type { Manifest } from './manifest.ts'

/** What a person calls the streams that are no tables. */
export const streamNames = {
  manifest: 'manifest',
  globals: 'roles and tablespaces',
  preData: 'schema before data',
  postData: 'schema after data',
  largeObjects: 'large objects',
} as const

/** Every stream that a manifest names, and what a person would call it. */
export function* manifestStreams(manifest: Manifest): Iterable<{ readonly name: string; readonly stream: StreamRef }> {
  yield { name: streamNames.globals, stream: manifest.globals }
  if (manifest.schema) {
    yield { name: streamNames.preData, stream: manifest.schema.preData }
    yield { name: streamNames.postData, stream: manifest.schema.postData }
  }
  for (const { schema, name, parts } of manifest.tables) {
    for (const stream of parts) yield { name: `table ${schema}.${name}`, stream }
  }
  if (manifest.largeObjects) {
    yield { name: streamNames.largeObjects, stream: manifest.largeObjects.properties }
    yield { name: streamNames.largeObjects, stream: manifest.largeObjects.contents }
  }
}

/** The same manifest for another repository, where each of its streams is another one. */
export function withStreams(manifest: Manifest, streamThere: (stream: StreamRef) => StreamRef): Manifest {
  const { schema, largeObjects } = manifest
  return {
    ...manifest,
    globals: streamThere(manifest.globals),
    ...(schema && {
      schema: { ...schema, preData: streamThere(schema.preData), postData: streamThere(schema.postData) },
    }),
    tables: manifest.tables.map((table) => ({ ...table, parts: table.parts.map(streamThere) })),
    ...(largeObjects && {
      largeObjects: {
        ...largeObjects,
        properties: streamThere(largeObjects.properties),
        contents: streamThere(largeObjects.contents),
      },
    }),
  }
}
