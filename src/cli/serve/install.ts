import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { aboutSetting, type SettingName } from '../../config/about-settings.ts'
import { environment, SECRET_VARIABLES } from '../../config/environment.ts'
import { secretPlaces } from '../../config/notify.ts'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import { shellWord } from '../../model/shell-word.ts'
import { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import { destinationUrl } from '../../sinks/open-sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { command as workCommand } from '../commands/work.ts'
import { scheduledPlaces } from '../schedule/scheduled-destinations.ts'
import { credentialPath, UNIT_MARK, unitText, type UnitFacts } from './unit.ts'

const UNIT = 'dataferry.service'
const STATE_DIRECTORY = 'dataferry'
const MACHINE_STATE = `/var/lib/${STATE_DIRECTORY}`

/** `dataferry serve install`: writes the unit of a service that runs this command line, and says how to enable it. */
export async function install(context: Context): Promise<ExitCode> {
  const { out, has } = context
  if (!has('systemd')) throw refusal('Say which service manager: --systemd is the one that there is.')
  const isUser = has('user')
  const stateDir = stateDirOf(context, isUser)
  const facts = await factsOf(context, isUser, stateDir)
  const path = join(isUser ? userUnits() : '/etc/systemd/system', UNIT)
  await writeUnit(path, unitText(facts))
  for (const folder of facts.writable) await lookAtFolder(folder, isUser, out)
  out.result({ event: 'unit', path, stateDir, writable: facts.writable, environmentFile: facts.environmentFile }, path)
  out.line('It may write to:')
  for (const folder of facts.writable) out.line(`  ${folder}`)
  warnOfSecrets(context, facts.environmentFile)
  const systemctl = isUser ? 'systemctl --user' : 'systemctl'
  out.line('To start it now and at every boot:')
  out.line(`  ${systemctl} daemon-reload && ${systemctl} enable --now ${UNIT}`)
  if (isUser) out.line(`  loginctl enable-linger ${shellWord(userInfo().username)}`)
  out.line('Its schedules are added with:')
  out.line(`  dataferry schedule add NAME --cron '0 3 * * *' --state-dir ${shellWord(stateDir)} -- mirror run NAME`)
  return 0
}

/** The one that was named; a service of the machine has none of a person. */
function stateDirOf({ config }: Context, isUser: boolean): string {
  return isUser || config.sourceOf('stateDir').kind !== 'default' ? config.settings.stateDir : MACHINE_STATE
}

async function factsOf(context: Context, isUser: boolean, stateDir: string): Promise<UnitFacts> {
  const { config, text, texts } = context
  const { tokenFile, logFile } = config.settings
  const [, script = ''] = process.argv
  const named = texts('to').map((one) => destinationUrl(one, process.cwd()))
  const files = { 'token-file': tokenFile, ...dashboardTokens(context) }
  const credentials = Object.entries(files).flatMap(([flag, file]) =>
    file === undefined ? [] : [{ flag, name: flag.replace('-file', ''), file }],
  )
  const words = [
    ...[process.execPath, ...process.execArgv, resolve(script), 'serve', '--state-dir', stateDir],
    ...flagsOf(context),
    ...['port', 'host'].flatMap((flag) => (text(flag) === undefined ? [] : [`--${flag}`, text(flag) ?? ''])),
    ...texts('origin').flatMap((one) => ['--origin', one]),
    ...credentials.flatMap(({ flag, name }) => [`--${flag}`, credentialPath(name)]),
    ...named.flatMap((one) => ['--to', one]),
    ...(config.file === undefined ? [] : ['--config', config.file]),
  ]
  const scheduled = await scheduledPlaces(new ScheduleFolder(stateDir))
  const destinations = [...named, ...scheduled.map(({ destination }) => destination)]
  if (config.sourceOf('destination').kind !== 'default') {
    destinations.push(destinationUrl(config.settings.destination, process.cwd()))
  }
  const folders = [
    ...destinations.filter((url) => url.startsWith('file:')).map((url) => fileURLToPath(url)),
    ...scheduled.flatMap((one) => one.folders),
  ]
  const base = isUser ? configHome() : '/etc'
  const managed = !isUser && stateDir === MACHINE_STATE
  return {
    words,
    of: isUser ? 'user' : 'machine',
    user: isUser ? undefined : (environment()['SUDO_USER'] ?? userInfo().username),
    workingDirectory: process.cwd(),
    stateDirectory: managed ? STATE_DIRECTORY : undefined,
    writable: [
      ...new Set([...(managed ? [] : [stateDir]), ...folders, ...(logFile === undefined ? [] : [dirname(logFile)])]),
    ],
    credentials,
    environmentFile: join(base, 'dataferry', 'environment'),
  }
}

/** The files that say who may use the dashboard, by flag. */
function dashboardTokens({ text }: Context): Readonly<Record<string, string | undefined>> {
  const flags = ['viewer-token-file', 'operator-token-file']
  return Object.fromEntries(flags.map((flag) => [flag, text(flag) && resolve(text(flag) ?? '')]))
}

/** Given otherwise, or a secret that is no word of a command line. */
const LEFT_OUT: readonly SettingName[] = ['stateDir', 'tokenFile']

/** The settings of the command line and of the environment as flags: a service has neither. */
function flagsOf({ config }: Context): readonly string[] {
  const names: readonly SettingName[] = [...workCommand.settings, 'redis', 'prefix', 'caFile', 'logLevel', 'logFile']
  return [...new Set(names)].flatMap((name) => {
    const { flags = [], path } = aboutSetting(name)
    const { kind, name: variable } = config.sourceOf(name)
    const flag = /--[\w-]+/.exec(flags[0] ?? '')?.[0]
    const raw =
      kind === 'flag' ? config.given[name]?.value : kind === 'environment' ? environment()[variable] : undefined
    const hides = name === 'redis' && config.settings.redis?.hides === true
    if (flag === undefined || raw === undefined || hides || LEFT_OUT.includes(name)) return []
    if (name === 'server') return config.settings.server.flatMap((server) => [flag, server])
    const texts = path ? [String(config.settings[name])] : [raw].flat()
    return texts.flatMap((text) => [flag, text])
  })
}

async function writeUnit(path: string, text: string): Promise<void> {
  try {
    const before = await readFile(path, 'utf8').catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error
    })
    if (before !== undefined && !before.startsWith(UNIT_MARK)) {
      throw refusal(`${path} is there already, and is not dataferry’s: move it away.`)
    }
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  } catch (error) {
    if (error instanceof DataferryError) throw error
    throw new DataferryError('ARGUMENT_INVALID', `${path} cannot be written: ${messageOf(error)}.`, {
      advice: 'Use sudo for a service of the machine, or --user for one of your own.',
      cause: error,
    })
  }
}

/** A path that is missing keeps a sandboxed service from starting. Those of another user are for that user to make. */
async function lookAtFolder(folder: string, isOurs: boolean, out: Context['out']): Promise<void> {
  const looking = isOurs ? mkdir(folder, { recursive: true, mode: 0o700 }) : access(folder)
  await looking.catch((error: unknown) =>
    out.warn(`${folder} has to be there, and to belong to the user of the service: ${messageOf(error)}.`),
  )
}

/** What is in the environment now is not in that of a service. */
function warnOfSecrets({ config, out }: Context, file: string): void {
  const { notify, tokens } = config
  const ofVariables = tokens.servers.filter((server) => tokens.fileOf(server) === undefined)
  const named = [
    ...ofVariables.map((server) => tokens.sourceOf(server)?.name),
    ...secretPlaces(notify).map(({ env }) => env),
  ].filter((name) => name !== undefined)
  const usual = [...SECRET_VARIABLES, 'AWS_ACCESS_KEY_ID'].filter((name) => environment()[name])
  const found = [...new Set([...usual, ...named])]
  if (config.settings.redis?.hides) found.push('REDIS_URL')
  if (found.length === 0) return
  out.warn(`A unit holds no secret: put ${found.join(', ')} into ${file}, as NAME=value, readable by its owner alone.`)
}

function userUnits(): string {
  return join(configHome(), 'systemd', 'user')
}

function configHome(): string {
  return environment()['XDG_CONFIG_HOME'] || join(homedir(), '.config')
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
