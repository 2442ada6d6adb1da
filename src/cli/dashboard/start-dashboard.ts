import { openDashboard, type Dashboard } from '../../dashboard/dashboard.ts'
import { destinationUrl } from '../../sinks/open-sink.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'
import { commandEnvironment } from '../supervision.ts'
import type { Runtime } from '../runtime.ts'
import { ChildCommands } from './child-commands.ts'
import { Drafts } from './drafts.ts'
import { observeDeps } from './observe-deps.ts'
import { operationsOf } from './operations.ts'
import { readReach } from './read-options.ts'

/**
 * Opens the dashboard that a command line asks for. Rejects with `ARGUMENT_INVALID`.
 * @param pages folder of the built pages, where it is not beside the program
 */
export async function startDashboard(context: Context, runtime: Runtime, pages?: string): Promise<Dashboard> {
  const { config, texts } = context
  const { jobs, prefix, stateDir } = config.settings
  const children = new ChildCommands(context.log, commandEnvironment(context.config))
  const drafts = new Drafts((url) => openDestination(config, url), context.log)
  const allowed = texts('to').map((shown) => ({ shown, url: destinationUrl(shown, process.cwd()) }))
  const dashboard = await openDashboard(
    {
      ...observeDeps(context, runtime),
      operations: operationsOf(context, runtime, children, drafts, allowed),
    },
    {
      ...readReach(context),
      destinations: allowed,
      servers: config.servers,
      usualLimit: jobs,
      prefix,
      stateDir,
      ...(pages !== undefined && { pages }),
    },
  )
  drafts.start(allowed.map(({ url }) => url))
  return {
    ...dashboard,
    async close() {
      await dashboard.close()
      await children.close()
      await drafts.close()
    },
  }
}
