import { run, type ProcessOptions } from './process.ts'

/** Whether a command can be found on PATH. */
export async function isInstalled(name: string, options: ProcessOptions): Promise<boolean> {
  return run(['sh', '-c', 'command -v "$1"', 'sh', name], options).then(
    () => true,
    () => false,
  )
}

/** What a run took: whole command, and the CPU of all its processes. */
export interface Cost {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** Runs a shell script and adds up the CPU time of all that it started. `args` are `$1`, `$2`, … of the script. */
export async function shell(script: string, args: readonly string[], options: ProcessOptions): Promise<Cost> {
  const { seconds, stdout } = await run(['sh', '-c', `set -e\n${script}\ntimes`, 'sh', ...args], options)
  return { seconds, cpuSeconds: cpuOf(stdout) }
}

/** Reads the last line of the shell's `times`: user and system time of its children, as `1m2.345s`. @see POSIX, times */
function cpuOf(output: string): number {
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  const parts = [...last.matchAll(/(\d+)m([\d.,]+)s/g)]
  if (parts.length !== 2) throw new Error(`The shell's times could not be read: ${last}`)
  return parts.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest?.replace(',', '.')), 0)
}
