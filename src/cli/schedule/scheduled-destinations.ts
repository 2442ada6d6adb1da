import { load } from '../../config/config.ts'
import { environment } from '../../config/environment.ts'
import type { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import { destinationUrl } from '../../sinks/open-sink.ts'
import { parserFor, readArguments } from '../parser.ts'
import { SCHEDULABLE } from './schedulable.ts'

/** URLs of the destinations that the commands of the schedules write to. */
export async function scheduledDestinations(folder: ScheduleFolder): Promise<readonly string[]> {
  return (await folder.list()).flatMap(({ command: [verb = '', ...rest], cwd }) => {
    const command = SCHEDULABLE[verb]
    if (!command) return []
    const typed = readArguments(parserFor(verb, 'scheduled', command), command, rest)
    const { settings } = load({ flags: typed.settings, file: typed.config, env: environment(), cwd })
    return [destinationUrl(settings.destination, cwd)]
  })
}
