/** What a unit of systemd says about `dataferry serve`. */
export interface UnitFacts {
  /** The program with its words: Node.js, the script, `serve` and its flags. */
  readonly words: readonly string[]
  /** Whose service manager starts it. */
  readonly of: 'user' | 'machine'
  /** The user it runs as; of a machine only. */
  readonly user?: string | undefined
  readonly workingDirectory: string
  /** Everything that it may write to, beside `stateDirectory`. */
  readonly writable: readonly string[]
  /** A folder below `/var/lib` that the service manager makes, and gives to its user. */
  readonly stateDirectory?: string | undefined
  /** Read by the service manager, and given to the service alone. */
  readonly credentials: readonly { readonly name: string; readonly file: string }[]
  /** Variables that are secrets; need not exist. */
  readonly environmentFile: string
}

/** The first line of every unit that is ours. */
export const UNIT_MARK = '# Written by `dataferry serve install`; write it again after a change.'

const CREDENTIALS = '${CREDENTIALS_DIRECTORY}/'

/** Where the service manager puts a credential, in a unit's own words; `%d` is younger than `LoadCredential`. */
export function credentialPath(name: string): string {
  return `${CREDENTIALS}${name}`
}

/** Files are parked within 20 s of SIGTERM, schedules included. */
const STOP_SECONDS = 45

/** Needs privileges that only the service manager of the machine has. */
const MACHINE_ONLY = [
  'CapabilityBoundingSet=',
  'PrivateDevices=yes',
  'ProtectClock=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
]

/** @see systemd.service(5), systemd.exec(5). V8 compiles at run time: no MemoryDenyWriteExecute. */
export function unitText(facts: UnitFacts): string {
  const isUser = facts.of === 'user'
  const lines = [
    UNIT_MARK,
    '[Unit]',
    'Description=dataferry: workers, schedules and dashboard',
    ...(isUser ? [] : ['Wants=network-online.target', 'After=network-online.target']),
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${facts.words.map(unitWord).join(' ')}`,
    `WorkingDirectory=${path(facts.workingDirectory)}`,
    ...(facts.user === undefined ? [] : [`User=${facts.user}`]),
    `EnvironmentFile=-${path(facts.environmentFile)}`,
    ...facts.credentials.map(({ name, file }) => `LoadCredential=${name}:${path(file)}`),
    'Restart=on-failure',
    'RestartSec=10',
    '# 10: a stop limit was reached. 2: the command line or the settings are wrong, which no restart mends.',
    'SuccessExitStatus=10',
    'RestartPreventExitStatus=2',
    '# Its processes are asked by the first one, which waits until they have parked.',
    'KillMode=mixed',
    `TimeoutStopSec=${STOP_SECONDS}`,
    '',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'ProtectHome=read-only',
    'PrivateTmp=yes',
    ...(facts.stateDirectory === undefined
      ? []
      : [`StateDirectory=${facts.stateDirectory}`, 'StateDirectoryMode=0700']),
    ...facts.writable.map((one) => `ReadWritePaths=${unitWord(one)}`),
    'ProtectControlGroups=yes',
    'ProtectKernelTunables=yes',
    '# AF_NETLINK: names of hosts and interfaces are looked up by it.',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    'RestrictNamespaces=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    'LockPersonality=yes',
    'SystemCallArchitectures=native',
    ...(isUser ? [] : MACHINE_ONLY),
    '',
    '[Install]',
    `WantedBy=${isUser ? 'default.target' : 'multi-user.target'}`,
  ]
  return `${lines.join('\n')}\n`
}

/** A word as systemd splits and expands them. Credentials stay what they are. @see systemd.syntax(7) */
function unitWord(word: string): string {
  if (word.startsWith(CREDENTIALS)) return word
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '$$$$')
  const text = escaped.replaceAll('%', '%%')
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text}"`
}

/** A path that takes the rest of its line. */
function path(text: string): string {
  return text.replaceAll('%', '%%')
}
