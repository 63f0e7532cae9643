import type { Container } from './container.ts'
import type { DataPlace } from './data-place.ts'
import { runHelper } from './run-helper.ts'

const checkScript = `cd /place
[ -d "$1" ] || { echo "there is no $1"; exit 1; }
[ "$(stat -c %d "$1")" = "$(stat -c %d .)" ] || { echo "$1 is a file system of its own, and can not be moved beside itself"; exit 1; }`

/** Looks whether `setAside` can do it, and changes nothing. Throws `engine-failed`. */
export async function checkSetAside(container: Container, { root, path }: DataPlace): Promise<void> {
  await runHelper(container, root, checkScript, [path])
}

// A directory is renamed whole, so that it is always entirely here or there; where that was done before, what has come
// in its place since is of a recovery that did not end.
const moveScript = `set -e; cd /place; from=$1 to=$2
if [ -n "$(ls -A "$to" 2>/dev/null)" ]; then
  mkdir -p "$from"; find "$from" -mindepth 1 -delete
else
  if [ -d "$to" ]; then rmdir "$to"; fi
  mv "$from" "$to"; mkdir "$from"
fi
chown "$(stat -c %u:%g "$to")" "$from"; chmod "$(stat -c %a "$to")" "$from"
chcon --reference="$to" "$from" 2>/dev/null || true`

/**
 * Moves everything that is in a place to another one beside it, and leaves it empty, with the same owner and rights. Where
 * `kept` holds something, that was done before, and what is in `place` is removed. Nobody may use either meanwhile.
 */
export async function setAside(container: Container, place: DataPlace, kept: DataPlace): Promise<void> {
  const { engine } = container
  if (kept.kind === 'volume') {
    await engine.ask(`the volume ${kept.id}`, (docker) =>
      docker.createVolume({ Name: kept.id, Labels: { 'pgrevive.damaged': place.id } }),
    )
  }
  await runHelper(container, place.root, moveScript, [place.path, kept.path])
}
