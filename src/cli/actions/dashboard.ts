import { hostname } from 'node:os'
import { aborted } from '../../async/aborted.ts'
import { Links, type DashboardPlace } from '../../dashboard/links.ts'
import { DataferryError } from '../../errors.ts'
import { startDashboard } from '../dashboard/start-dashboard.ts'
import type { Command, Context, ExitCode } from '../command.ts'
import { pasted } from '../pasted.ts'
import { endCode } from '../failure.ts'
import { openRuntime, type Runtime } from '../runtime.ts'
import { supervision } from '../supervision.ts'

/** What `dataferry dashboard` does. */
export const run: Command['run'] = async (context) => {
  const [action] = context.args
  if (action === 'link') return link(context)
  if (action !== undefined) {
    throw new DataferryError('ARGUMENT_INVALID', `dashboard has no action ${action}: use link, or none.`)
  }
  return showDashboard(context)
}

/** Keeps the dashboard open until it is asked to stop. On a terminal it prints a first link; what a journal keeps is no secret. */
export async function showDashboard(context: Context): Promise<ExitCode> {
  const { out, config, signal } = context
  await using runtime = await openRuntime(context, 'worker')
  const dashboard = await startDashboard(context, runtime)
  try {
    out.result({ event: 'dashboard', url: dashboard.url }, `The dashboard is at ${dashboard.url}.`)
    if (out.isTerminal && !out.json && !supervision()) {
      out.line('To sign a browser in, open this address; it works once, within five minutes:')
      out.line(`  ${await linkTo(context, runtime, dashboard.url)}`)
      out.say(`For another one: ${pasted(config, 'dashboard', ['link'])}`)
    } else out.say(`To sign a browser in: ${pasted(config, 'dashboard', ['link'])}`)
    await aborted(signal)
  } finally {
    await dashboard.close()
  }
  return endCode(context)
}

/** Prints an address with a token that works once. */
async function link(context: Context): Promise<ExitCode> {
  const { out, config, text } = context
  await using runtime = await openRuntime(context, 'producer')
  const places = await new Links(runtime.client, config.settings.prefix).places()
  const place = chosen(places, text('port'))
  if (!place) {
    const message = 'No dashboard of this Redis is running.'
    throw new DataferryError('ARGUMENT_INVALID', message, {
      advice: 'Start one:',
      command: pasted(config, 'dashboard', []),
    })
  }
  const url = await linkTo(context, runtime, place.url)
  out.result({ event: 'link', url }, url)
  out.say('It works once, within five minutes.')
  if (place.host !== hostname()) out.say(`That dashboard runs on ${place.host}: open it there, or through a tunnel.`)
  return 0
}

async function linkTo({ config, has }: Context, { client }: Runtime, url: string): Promise<string> {
  const links = new Links(client, config.settings.prefix)
  return `${url}/link#${await links.make(has('viewer') ? 'viewer' : 'operator')}`
}

/** The one at a port, or on this machine, or any. */
function chosen(places: readonly DashboardPlace[], port: string | undefined): DashboardPlace | undefined {
  const wanted = port === undefined ? places : places.filter(({ url }) => new URL(url).port === port)
  return wanted.find(({ host }) => host === hostname()) ?? wanted[0]
}
