import { dirname, resolve } from 'node:path'
import { load } from '../../config/config.ts'
import { environment } from '../../config/environment.ts'
import type { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import { destinationUrl } from '../../sinks/open-sink.ts'
import { parserFor, readArguments } from '../parser.ts'
import { SCHEDULABLE } from './schedulable.ts'

/** What the command of a schedule writes to. */
interface ScheduledPlaces {
  /** URL of its destination. */
  readonly destination: string
  /** Folders of the files that its flags name. */
  readonly folders: readonly string[]
}

/** Flags whose file is written by the command. */
const WRITTEN = ['report', 'wanted']

/** What the commands of the schedules write to. */
export async function scheduledPlaces(folder: ScheduleFolder): Promise<readonly ScheduledPlaces[]> {
  return (await folder.list()).flatMap(({ command: [verb = '', ...rest], cwd }) => {
    const command = SCHEDULABLE[verb]
    if (!command) return []
    const typed = readArguments(parserFor(verb, 'scheduled', command), command, rest)
    const { settings } = load({ flags: typed.settings, file: typed.config, env: environment(), cwd })
    // Some commands name their destination without a flag.
    const named = command.operands[0]?.name === 'destination' ? typed.args[0] : undefined
    const files = [...WRITTEN.map((flag) => typed.text(flag)), typed.settings.logFile && settings.logFile]
    return {
      destination: destinationUrl(named ?? settings.destination, cwd),
      folders: files.flatMap((file) => (file === undefined ? [] : [dirname(resolve(cwd, file))])),
    }
  })
}

/** URLs of the destinations of the schedules. */
export async function scheduledDestinations(folder: ScheduleFolder): Promise<readonly string[]> {
  return (await scheduledPlaces(folder)).map(({ destination }) => destination)
}
