import { isDestination } from '../../batch/destination.ts'
import { load, type LoadedConfig } from '../../config/config.ts'
import { environment } from '../../config/environment.ts'
import { DataferryError } from '../../errors.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'
import { inspectOnly } from '../intake.ts'
import { isShared } from '../is-shared.ts'
import { namedMirror, withSink } from '../mirror/with-mirror.ts'
import { parserFor, readArguments, type Typed } from '../parser.ts'
import { ocflAt } from '../verify/ocfl.ts'
import { outputPlace } from '../verify/output-place.ts'
import { readRolling } from '../verify/read-rolling.ts'
import { holdsSecret, knownSecrets } from './known-secrets.ts'
import { SCHEDULABLE } from './schedulable.ts'

/** Commands that park when they are asked to. */
const PARKABLE = ['mirror', 'run']

/**
 * Checks the command of a schedule as if it were given now: its flags and settings, its manifest or mirror. Throws what that command
 * would throw, and `ARGUMENT_INVALID` for one that cannot run unattended or holds a secret.
 */
export async function checkCommand(context: Context, words: readonly string[], hasHours: boolean): Promise<void> {
  const [verb = '', ...rest] = words
  const command = SCHEDULABLE[verb]
  if (!command) {
    const names = Object.keys(SCHEDULABLE).join(', ')
    throw refusal(
      words.length === 0 ? `Say what to run, behind --: ${names}.` : `A schedule can run ${names}, not ${verb}.`,
    )
  }
  const secret = words.findIndex(isSecret)
  if (secret >= 0) throw refusal(`Word ${secret + 1} of the command looks like a secret: ${NO_SECRETS}`)
  if (rest.includes('-')) throw refusal('A schedule has no standard input: give the manifest as a file.')
  if (hasHours && !PARKABLE.includes(verb)) {
    throw refusal(`--between goes with ${PARKABLE.join(' and ')}: ${verb} cannot go on where it stopped.`)
  }
  const typed = readArguments(parserFor(verb, 'scheduled', command), command, rest)
  if (typed.has('help')) throw refusal('--help runs nothing: leave it out.')
  refuseOwnRedis(typed)
  refuseSecrets(context.config, words)
  const config = load({ flags: typed.settings, file: typed.config, env: environment(), cwd: process.cwd() })
  refuseSecrets(config, words)
  isShared(config)
  const inner: Context = { ...context, ...typed, config }
  if (verb === 'run' || verb === 'enqueue') await inspectOnly(inner)
  else if (verb === 'mirror') await checkMirror(inner)
  else await checkVerify(inner)
}

/** What it would verify may be fetched later; what it would write must have a place. */
async function checkVerify(context: Context): Promise<void> {
  const { args, config, out, signal, text } = context
  readRolling(context)
  const sink = await openDestination(config, args[0])
  try {
    for (const flag of ['report', 'wanted']) {
      const name = text(flag)
      if (name !== undefined) await outputPlace(`--${flag}`, name, sink.url)
    }
    const isThere = (await isDestination(sink.records)) || (await ocflAt(sink, signal)) !== undefined
    if (!isThere)
      out.warn(`There is nothing to verify at ${shownUrl(sink.url)} yet: until there is, verify ends with 3.`)
  } finally {
    await sink.close()
  }
}

async function checkMirror(context: Context): Promise<void> {
  const [action] = context.args
  if (action !== 'run') throw refusal(`A schedule can run \`mirror run\`, not \`mirror ${action ?? ''}\`.`)
  await withSink(context, async (sink) => {
    await namedMirror(context, sink)
    return 0
  })
}

/** What `serve` gives to every command that it starts. */
function refuseOwnRedis({ settings }: Pick<Typed, 'settings'>): void {
  const own = settings.redis ?? settings.prefix
  if (!own) return
  throw refusal(
    `${own.flag} does not go with a scheduled command, which uses the Redis of \`dataferry serve\`: leave it out.`,
  )
}

/** Refuses what has a secret in it that is known here. */
function refuseSecrets(config: LoadedConfig, words: readonly string[]): void {
  for (const { source, secret } of knownSecrets(config, environment())) {
    const at = words.findIndex((word) => holdsSecret(word, secret))
    if (at >= 0) throw refusal(`Word ${at + 1} of the command contains the secret of ${source}: ${NO_SECRETS}`)
  }
}

const NO_SECRETS =
  'a schedule is kept as plain text. A token belongs into the environment of `dataferry serve`, or into a file that --token-file names.'
/** An API token of Dataverse is a UUID. */
const TOKEN = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const PARAMETER = /[?&](?:key|api-?key|api-?token|token|signature|sig|x-amz-[a-z-]+|awsaccesskeyid)=/i
const PASSWORD = /:\/\/[^/@\s]{0,200}:[^/@\s]{0,200}@/

function isSecret(word: string): boolean {
  const beginning = word.slice(0, 4_096)
  return TOKEN.test(beginning) || PARAMETER.test(beginning) || PASSWORD.test(beginning)
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
