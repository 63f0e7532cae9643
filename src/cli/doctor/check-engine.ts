import { isContainerUrl } from '../../containers/container-reference.ts'
import { AppError } from '../../core/app-error.ts'
import type { HookLists } from '../../hooks/hook-step.ts'
import type { CommandContext } from '../command-context.ts'
import type { Settings } from '../settings/settings.ts'
import { type HostFinding, failed, orError } from './host-finding.ts'

/** Whether the engine answers, if a database or a hook of pgrevive.yaml needs it. */
export async function checkEngine({ config }: Settings, context: CommandContext): Promise<HostFinding[]> {
  const databases = [...(config?.databases.values() ?? [])]
  const hooks = [config?.hooks, ...databases.map((database) => database.hooks)].flatMap((one) => one?.lists ?? [])
  if (!databases.some(({ conninfo }) => isContainerUrl(conninfo)) && !hooks.some(needContainers)) return []
  const { Engine } = await import('../../containers/engine.ts')
  const engine = await orError(Engine.open(context), context)
  if (engine instanceof AppError) return [failed('engine', engine)]
  return [{ check: 'engine', answer: 'answers', verdict: 'good', meaning: engine.place }]
}

function needContainers(lists: HookLists): boolean {
  return Object.values(lists)
    .flat()
    .some((step) => {
      if (step.kind === 'run') return step.container !== undefined
      return step.kind !== 'wait' || step.until.what === 'container'
    })
}
