import { spawn } from 'node:child_process'
import type { EmbeddedFolder } from './folder.ts'

/**
 * Stops the server when the processes that used it have died. It renames the socket first and
 * looks again: a client that registered before is seen, and one that registers later finds no socket and waits for a new server.
 * A client's file is named `<space>.<any>.<pid>`; a client that this shell cannot see must touch its file every minute.
 * Arguments: pid of the server, space, socket, seconds between looks.
 */
const KEEPER = `
trap '' HUP INT
someone() {
  for file in clients/*; do
    [ -e "$file" ] || continue
    name=\${file#clients/}
    case $name in
      "$2".*) kill -0 "\${name##*.}" 2>/dev/null && return 0 ;;
      *) [ -n "$(find "$file" -mmin -1 2>/dev/null)" ] && return 0 ;;
    esac
    rm -f "$file"
  done
  return 1
}
lonely=0
while kill -0 "$1" 2>/dev/null; do
  touch beat
  if someone "$@"; then lonely=0; else lonely=$((lonely + 1)); fi
  if [ "$lonely" -ge 2 ]; then
    mv "$3" "$3.closing" 2>/dev/null
    if someone "$@"; then mv "$3.closing" "$3" 2>/dev/null; lonely=0; else kill -TERM "$1" 2>/dev/null; fi
  fi
  sleep "$4"
done
rm -f "$3.closing"
`

/** Starts the keeper of a running server; it outlives the caller, and ends soon after the server. */
export function startKeeper(folder: EmbeddedFolder, pid: number, space: string, everySeconds: number): void {
  const args = ['-c', KEEPER, 'dataferry-redis-keeper', String(pid), space, folder.socket, String(everySeconds)]
  const keeper = spawn('/bin/sh', args, { cwd: folder.root, detached: true, stdio: 'ignore' })
  // Without a keeper, only the clean-up after killed processes is missing.
  keeper.on('error', () => undefined)
  keeper.unref()
}
