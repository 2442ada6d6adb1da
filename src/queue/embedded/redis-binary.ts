import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { DataferryError } from '../../errors.ts'

const NAMES = ['redis-server', 'valkey-server']

/** The first of `redis-server` and `valkey-server` in the folders of `path` (the form of `PATH`), or undefined. */
export async function findRedisBinary(path: string): Promise<string | undefined> {
  const folders = path.split(delimiter).filter((folder) => folder !== '')
  for (const candidate of NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (usable) return candidate
  }
  return undefined
}

/** The message when there is no binary: the one command for this system, and the alternative. */
export async function noRedisBinary(): Promise<DataferryError> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const command = installCommand(process.platform, release)
  return new DataferryError(
    'REDIS_UNAVAILABLE',
    `No redis-server or valkey-server was found on PATH: install one (${command}), or give a running Redis with --redis.`,
  )
}

const COMMANDS: readonly (readonly [RegExp, string])[] = [
  [/^(?:debian|ubuntu|linuxmint|raspbian|pop)$/, 'sudo apt-get install redis-server'],
  [/^(?:fedora|rhel|centos|rocky|almalinux|amzn|ol)$/, 'sudo dnf install valkey'],
  [/^alpine$/, 'apk add redis'],
  [/^(?:arch|archlinux|manjaro)$/, 'sudo pacman -S valkey'],
  [/^(?:suse|opensuse.*|sles)$/, 'sudo zypper install redis'],
]

/**
 * The command that installs Redis or its drop-in Valkey.
 * @param release the text of `/etc/os-release`. @see os-release(5): `ID` is the system, `ID_LIKE` its relatives.
 */
export function installCommand(platform: NodeJS.Platform, release: string): string {
  if (platform === 'darwin') return 'brew install redis'
  const ids = ['ID', 'ID_LIKE'].flatMap((key) => {
    const value = new RegExp(`^${key}=["']?([^"'\\n]*)`, 'm').exec(release)?.[1] ?? ''
    return value.toLowerCase().split(/\s+/)
  })
  const command = ids.flatMap((id) => COMMANDS.find(([system]) => system.test(id))?.[1] ?? [])[0]
  return command ?? 'the package redis or valkey of your system'
}
