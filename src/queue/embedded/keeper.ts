import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { EmbeddedFolder } from './folder.ts'

/**
 * Stops the server when the processes that used it have died. It renames the socket first and
 * looks again: a client that registered before is seen, and one that registers later finds no socket and waits for a new server.
 * A client's file is named `<space>.<any>.<pid>` and holds when its process began, since the number of a dead process is given to
 * another one; a client that this shell cannot see must touch its file every minute.
 * Positional: pid of the server, space, socket, seconds between looks, a name of its own: of several keepers the newest stays.
 * @see proc_pid_stat(5): behind the name in parentheses, state is the 1st field and the start time the 20th
 */
const KEEPER = `
trap '' HUP INT
server=$1 space=$2 socket=$3 seconds=$4 me=$5
process() {
  state= began=
  kill -0 "$1" 2>/dev/null || return 1
  read -r line 2>/dev/null </proc/"$1"/stat || return 0
  set -- \${line##*\\) }
  state=$1 began=\${20}
  case $state in Z|X) return 1 ;; esac
}
client() {
  process "$1" || return 1
  [ -z "$began" ] || grep -q -e "\\"startTime\\":\\"$began\\"" -e '"startTime":""' "$2" 2>/dev/null
}
someone() {
  for file in clients/*; do
    [ -e "$file" ] || continue
    name=\${file#clients/}
    case $name in
      "$space".*) client "\${name##*.}" "$file" && return 0 ;;
      *) [ -n "$(find "$file" -mmin -1 2>/dev/null)" ] && return 0 ;;
    esac
    rm -f "$file"
  done
  return 1
}
serves() { process "$server" && [ "$began" = "$since" ]; }
process "$server"
since=$began
echo "$me" >keeper
lonely=0
while serves; do
  touch beat
  newest=
  read -r newest 2>/dev/null <keeper
  case $newest in "$me"|'') ;; *) exit 0 ;; esac
  if someone; then lonely=0; else lonely=$((lonely + 1)); fi
  if [ "$lonely" -ge 2 ]; then
    mv "$socket" "$socket.closing" 2>/dev/null
    if someone; then mv "$socket.closing" "$socket" 2>/dev/null; lonely=0
    elif [ "$lonely" -ge 6 ]; then kill -KILL "$server" 2>/dev/null
    else kill -TERM "$server" 2>/dev/null; fi
  fi
  sleep "$seconds"
done
rm -f "$socket.closing"
`

/** The server, with a keeper that is there from the first moment: whatever kills those who start it, it is looked after. */
const LAUNCH = `
umask 077
binary=$1 config=$2
shift 2
( set -- "$$" "$@"
${KEEPER} ) &
exec "$binary" "$config"
`

export interface KeeperOptions {
  /** In the form of `PATH`. Nothing else of the environment is passed on: it may hold tokens, and both may live for long. */
  readonly path: string
  /** Names boot and process namespace of those that the keeper can see. */
  readonly space: string
  readonly everySeconds: number
}

/** Starts a server with its keeper. @returns the process, which is the server's */
export function spawnServer(folder: EmbeddedFolder, binary: string, options: KeeperOptions): ReturnType<typeof spawn> {
  return spawnShell(folder, LAUNCH, [binary, folder.config, ...keeperWords(folder, options)], options)
}

/** Starts another keeper for a server whose own one was killed; it ends soon after the server, and outlives the caller. */
export function startKeeper(folder: EmbeddedFolder, pid: number, options: KeeperOptions): void {
  const keeper = spawnShell(folder, KEEPER, [String(pid), ...keeperWords(folder, options)], options)
  // Without a keeper only the clean-up after killed processes is missing.
  keeper.on('error', () => undefined)
  keeper.unref()
}

function keeperWords({ socket }: EmbeddedFolder, { space, everySeconds }: KeeperOptions): readonly string[] {
  return [space, socket, String(everySeconds), randomBytes(6).toString('hex')]
}

function spawnShell(
  { root }: EmbeddedFolder,
  script: string,
  words: readonly string[],
  { path }: KeeperOptions,
): ReturnType<typeof spawn> {
  const args = ['-c', script, 'dataferry-redis', ...words]
  // A keeper that finds neither grep nor sleep would take every client for dead, and end the server at once.
  const env = { PATH: `${path}:/usr/bin:/bin` }
  return spawn('/bin/sh', args, { cwd: root, detached: true, stdio: 'ignore', env })
}
