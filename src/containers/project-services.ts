import type { Container } from './container.ts'
import type { Engine } from './engine.ts'

const readyMs = 120_000

/** Containers in steps: what others depend on comes in an earlier one, as far as compose has told. */
export function startSteps(containers: readonly Container[]): readonly (readonly Container[])[] {
  const depth = (container: Container, above: readonly Container[]): number => {
    const needed = dependenciesOf(container).flatMap(({ service }) =>
      containers.filter((other) => other.service === service && other !== container && !above.includes(other)),
    )
    return Math.max(0, ...needed.map((other) => 1 + depth(other, [...above, container])))
  }
  const steps = Map.groupBy(containers, (container) => depth(container, []))
  return [...steps].toSorted(([a], [b]) => a - b).map(([, step]) => step)
}

/** Stops those that run, and what others depend on last. */
export async function stopAll(containers: readonly Container[]): Promise<void> {
  for (const step of startSteps(containers).toReversed()) {
    const stopped = await Promise.allSettled(step.map((container) => container.stop()))
    for (const outcome of stopped) if (outcome.status === 'rejected') throw outcome.reason
  }
}

/** Starts all, and waits for the health of those whose dependents ask for it. Names are of containers that may be gone. */
export async function startAll(engine: Engine, names: readonly string[]): Promise<void> {
  const containers: Container[] = []
  for (const name of names) containers.push(await engine.container(name))
  const awaited = new Set(
    containers.flatMap(dependenciesOf).flatMap(({ service, healthy }) => (healthy ? [service] : [])),
  )
  for (const container of startSteps(containers).flat()) {
    await container.start()
    if (container.service !== undefined && awaited.has(container.service)) await container.becomeReady(readyMs)
  }
}

/** Compose's label: `db:service_healthy:true,redis:service_started:false`. */
function dependenciesOf({ labels }: Container): { readonly service: string; readonly healthy: boolean }[] {
  return (labels['com.docker.compose.depends_on'] ?? '').split(',').flatMap((text) => {
    const [service = '', condition] = text.split(':')
    return service === '' ? [] : { service, healthy: condition === 'service_healthy' }
  })
}
