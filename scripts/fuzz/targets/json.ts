import { isDeepStrictEqual } from 'node:util'
import { JsonError } from '../../../src/json/json-error.ts'
import type { JsonPart, JsonShape } from '../../../src/json/json-parts.ts'
import { readJson } from '../../../src/json/read-json.ts'
import type { Dice } from '../../dice.ts'
import { cost, withinCost } from '../cost.ts'
import { realForm } from '../forms.ts'
import { mutatedJson, mutatedText } from '../mutate.ts'
import { inPieces } from '../pieces.ts'
import type { FuzzTarget } from '../target.ts'

const LIST: JsonShape = { members: { data: { each: {} } } }

/** The JSON reader is given answers of servers, changed in structure and text. */
export const target: FuzzTarget = {
  about:
    'JSON is accepted exactly when JSON.parse accepts it, with the same values, however the bytes are cut; what is not, or is ' +
    'beyond a bound, is one JsonError; time is in proportion to length.',
  async once(dice, note) {
    const { value } = realForm(dice)
    const text = mutatedText(JSON.stringify(mutatedJson(value, dice)), dice)
    const bytes = Buffer.from(text)
    note(bytes)
    const begun = cost()
    const whole = await read(bytes, {}, 64 * 1024)
    withinCost(begun, bytes.length)
    const expected = parsed(bytes)
    if (whole instanceof JsonError) {
      const isBound = / more than /.test(whole.message)
      if (expected && !isBound) throw new Error(`refused, but JSON.parse takes it: ${whole.message}`)
      return
    }
    if (!expected) throw new Error('accepted, but JSON.parse does not take it')
    if (!isDeepStrictEqual(whole[0]?.value, expected.value)) throw new Error('another value than that of JSON.parse')
    if (bytes.length < 20_000) await checkList(bytes, expected.value, dice)
  },
}

async function checkList(bytes: Uint8Array, value: unknown, dice: Dice): Promise<void> {
  const parts = await read(bytes, LIST, dice.between(1, 40))
  // A list that comes twice is refused, where JSON.parse takes the last one.
  if (parts instanceof JsonError) {
    if (!parts.message.includes('twice')) throw new Error(`refused as a list: ${parts.message}`)
    return
  }
  const data = typeof value === 'object' && value !== null && 'data' in value ? value.data : undefined
  if (!Array.isArray(data) || Array.isArray(value)) return
  const elements = parts.filter(({ path }) => path === 'data[]').map((part) => part.value)
  if (!isDeepStrictEqual(elements, data)) throw new Error('other elements than those of JSON.parse')
}

async function read(bytes: Uint8Array, shape: JsonShape, size: number): Promise<JsonPart[] | JsonError> {
  const found: JsonPart[] = []
  try {
    for await (const parts of readJson(inPieces(bytes, size), shape)) found.push(...parts)
    return found
  } catch (error) {
    if (error instanceof JsonError) return error
    throw error
  }
}

function parsed(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown }
  } catch {
    return undefined
  }
}
