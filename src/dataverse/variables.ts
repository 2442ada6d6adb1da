import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { Identifier } from './identifier.ts'
import type { JsonCalls } from './json-call.ts'
import { fileInfoRoute } from './route.ts'
import { ddi } from './sidecars.ts'

/** How many variables a message names. */
const SHOWN = 10

const dataTablesSchema = z.array(
  z.looseObject({ dataVariables: z.array(z.looseObject({ id: z.number(), name: z.string().nullish() })) }),
)

interface Variable {
  readonly id: number
  readonly name?: string | null | undefined
}

/**
 * Rejects with `ARGUMENT_INVALID` unless a table has all of these variables. The server skips unknown ones, and
 * sends the whole table when it knows none of them.
 * @param wanted ids such as `12` or `v12`
 * @see the protocol note §12
 */
export async function requireVariables(
  calls: JsonCalls,
  file: Identifier,
  wanted: readonly (number | string)[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const known = await variablesOf(calls, file, signal)
  const ids = new Set(known.map(({ id }) => id))
  const foreign = wanted.filter((one) => !ids.has(Number(String(one).replace(/^v/, ''))))
  if (foreign.length === 0) return
  const more = known.length > SHOWN ? ', …' : ''
  const shown = known.slice(0, SHOWN).map(({ id, name }) => (name ? `${id} (${name})` : id))
  const message = `File ${file} has no variable ${foreign.join(', ')}. It has ${shown.join(', ')}${more}.`
  throw new DataferryError('ARGUMENT_INVALID', message)
}

/** Servers before 6.1 list their variables only in the DDI. */
async function variablesOf(
  calls: JsonCalls,
  file: Identifier,
  signal: AbortSignal | undefined,
): Promise<readonly Variable[]> {
  const route = { ...fileInfoRoute(file, '/dataTables'), what: `the variables of file ${file}` }
  const tables = await calls.find({ route, signal }, dataTablesSchema, () => true)
  if (tables) return tables.flatMap(({ dataVariables }) => dataVariables)
  const ids = (await ddi(calls, file, { signal })).matchAll(/\bID="v(\d{1,15})"/g)
  return Array.from(ids, ([, id]) => ({ id: Number(id) }))
}
