// Other programs, as the set-up scripts look for them and run them. Needs nothing but Node.js.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export const isRoot = process.getuid?.() === 0

export function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}

/** Runs a command with its output on standard error: standard output belongs to what comes after. */
export function run([program, ...args], cwd) {
  return spawnSync(program, args, { cwd, stdio: ['ignore', 2, 2] }).status === 0
}

/** Whether commands can be run as root without a question. */
export function mayRunAsRoot() {
  return isRoot || (onPath('sudo') && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0)
}

export function runAsRoot(command, cwd) {
  return run([...(isRoot ? [] : ['sudo', '-n']), ...command], cwd)
}
