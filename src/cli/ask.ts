import { createInterface } from 'node:readline/promises'
import type { Context } from './command.ts'

/** Nobody is there who answers. */
const PATIENCE_MS = 10 * 60_000

/**
 * Asks a person yes or no on the terminal. An empty answer is no, and so are the end of the input, the signal and a long silence.
 * @returns undefined where nobody can answer
 */
export async function askYesOrNo(
  { out, signal }: Pick<Context, 'out' | 'signal'>,
  question: string,
): Promise<boolean | undefined> {
  if (out.json || out.quiet || !process.stdin.isTTY || out.terminal.isTTY !== true) return undefined
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const ended = new AbortController()
  lines.once('close', () => ended.abort())
  // Reading lines takes Ctrl-C for itself: it is for the command.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const end = AbortSignal.any([signal, ended.signal, AbortSignal.timeout(PATIENCE_MS)])
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal: end })).trim())
  } catch {
    process.stderr.write('\n')
    return false
  } finally {
    lines.close()
  }
}
