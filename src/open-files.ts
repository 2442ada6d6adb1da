// Parsed by any Node.js: no syntax in here that an old one does not know.

import { readFileSync } from 'node:fs'

/** Files and connections needed by the program itself, Redis, a server and a few transfers. */
const LEAST_OPEN_FILES = 256

/**
 * What is wrong with this process's limit of open files; undefined: nothing, or it is unknown.
 * @see proc_pid_limits(5): soft limit, then hard limit; Node.js raises the one to the other when it starts
 */
export function openFilesProblem(): string | undefined {
  const limit = openFileLimit()
  if (limit >= LEAST_OPEN_FILES) return undefined
  return (
    `dataferry: this process may open only ${limit} files, but needs ${LEAST_OPEN_FILES}: ` +
    'raise the limit (ulimit -n 1024) and run the same command again.'
  )
}

function openFileLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return found === null ? Infinity : Number(found[1])
  } catch {
    return Infinity
  }
}
