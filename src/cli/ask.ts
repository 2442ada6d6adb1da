import { createInterface } from 'node:readline/promises'
import type { Context } from './command.ts'

/**
 * Asks a person yes or no on the terminal; an empty answer is no. Rejects with the signal's reason.
 * @returns undefined where nobody can answer
 */
export async function askYesOrNo(
  { out, signal }: Pick<Context, 'out' | 'signal'>,
  question: string,
): Promise<boolean | undefined> {
  if (out.json || out.quiet || !process.stdin.isTTY || out.terminal.isTTY !== true) return undefined
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim())
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    lines.close()
  }
}
