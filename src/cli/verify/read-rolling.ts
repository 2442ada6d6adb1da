import { durationMs } from '../../config/setting-values.ts'
import { DataferryError } from '../../errors.ts'
import type { Given } from '../command.ts'

const SHORTEST_MS = 1_000

/** `--rolling`, in milliseconds. Rejects with `ARGUMENT_INVALID`. */
export function readRolling({ text, has }: Pick<Given, 'text' | 'has'>): number | undefined {
  const given = text('rolling')
  if (given === undefined) return undefined
  if (has('quick')) throw refusal('--rolling reads files, and --quick reads none: give one of them.')
  const parsed = durationMs(SHORTEST_MS).safeParse(given)
  if (parsed.success) return parsed.data
  if (durationMs(0).safeParse(given).success) {
    throw refusal(
      `--rolling: ${given} is too short. Give the time in which every file is to be read once, such as 30d.`,
    )
  }
  throw refusal(`--rolling: expected a duration with its unit, such as 30d, not ${given}.`)
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
