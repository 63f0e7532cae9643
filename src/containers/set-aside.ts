import type { Container } from './container.ts'
import { type DataPlace, keptPlace } from './data-place.ts'
import { runHelper } from './run-helper.ts'

const checkScript = `cd /place
[ -d "$1" ] || { echo "there is no $1"; exit 1; }
[ "$(stat -c %d "$1")" = "$(stat -c %d .)" ] || { echo "$1 is a file system of its own, and can not be moved beside itself"; exit 1; }`

/** Looks whether `setAside` can do it, and changes nothing. Throws `engine-failed`. */
export async function checkSetAside(container: Container, { root, path }: DataPlace): Promise<void> {
  await runHelper(container, root, checkScript, [path])
}

// A directory is renamed whole, so that it is always entirely here or there, and nothing is ever removed: what has come
// since a recovery that did not end may be rows that somebody wrote. Only an empty place is left as it is, once another
// one has been set aside.
const moveScript = `set -e; cd /place; from=$1 to=$2 first=$3
if [ "$first" = "$to" ] || [ -n "$(ls -A "$from" 2>/dev/null)" ]; then
  if [ -d "$to" ]; then rmdir "$to"; fi
  mv "$from" "$to"; like=$to
else
  like=$first
fi
mkdir -p "$from"
if [ ! -d "$like" ]; then exit 0; fi
chown "$(stat -c %u:%g "$like")" "$from"; chmod "$(stat -c %a "$like")" "$from"
chcon --reference="$like" "$from" 2>/dev/null || true`

/**
 * Moves everything that is in a place to another one beside it, and leaves it empty, with the same owner and rights.
 * `first`: where an earlier run of the same recovery kept what was there then, or `kept`. Nobody may use any meanwhile.
 */
export async function setAside(
  container: Container,
  place: DataPlace,
  { kept, first }: { readonly kept: DataPlace; readonly first: DataPlace },
): Promise<void> {
  const { engine } = container
  if (kept.kind === 'volume') {
    await engine.ask(`the volume ${kept.id}`, (docker) =>
      docker.createVolume({ Name: kept.id, Labels: { 'pgrevive.damaged': place.id } }),
    )
  }
  await runHelper(container, place.root, moveScript, [place.path, kept.path, first.path])
}

const listScript = `cd /place; for kept in "$1"*"$2"; do if [ -n "$(ls -A "$kept" 2>/dev/null)" ]; then echo "$kept"; fi; done`

/** What is kept of a place since a run began, oldest first, without what is empty. */
export async function listKept(container: Container, place: DataPlace, since: string): Promise<DataPlace[]> {
  const [before = '', after = ''] = keptPlace(place, '*').path.split('*')
  const said = await runHelper(container, place.root, listScript, [before, after])
  const runs = said.split('\n').map((path) => path.slice(before.length, path.length - after.length))
  return runs
    .filter((run) => run !== '' && run >= since)
    .toSorted()
    .map((run) => keptPlace(place, run))
}
