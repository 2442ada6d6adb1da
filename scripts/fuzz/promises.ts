import { DataferryError } from '../../src/errors.ts'
import { countSteps } from '../../test/steps.ts'
import type { Dice } from '../dice.ts'
import { mutatedText } from './mutate.ts'

/** Throws `why` when a promise is broken. */
export function must(isKept: boolean, why: string): asserts isKept {
  if (!isKept) throw new Error(why)
}

/** A text as it is made, or changed. */
export interface Given {
  readonly text: string
  readonly isPlain: boolean
}

/** Changes most texts. @param longest characters; what is longer never comes to the code that is tried */
export function given(text: string, dice: Dice, longest = Infinity): Given {
  if (dice.number() < 0.25) return { text, isPlain: true }
  const changed = mutatedText(text, dice).slice(0, longest)
  return { text: changed, isPlain: changed === text }
}

/** How often each character may be looked at, and looks that are always free. */
const LOOKS = 40
const FREE_LOOKS = 5_000

/** Runs what does not wait. Throws when it looks at its text more often than a few times. */
export async function linear<T>(text: string, run: () => T): Promise<T> {
  const results: T[] = []
  const { looks } = await countSteps(() => {
    results.push(run())
    return Promise.resolve()
  })
  must(looks <= LOOKS * text.length + FREE_LOOKS, `${looks} looks at ${text.length} characters`)
  const [result] = results
  return result as T
}

/** Characters of a message for people. */
const LONGEST_MESSAGE = 1_500

/** What work gives, or undefined for an error that has one of these codes and is one sentence. Rethrows any other error. */
export async function resultOrCode<T>(work: () => T | Promise<T>, codes: RegExp): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DataferryError) || !codes.test(error.code)) throw error
    checkMessage(error.message)
    return undefined
  }
}

export function checkMessage(message: string): void {
  must(message !== '' && message.length <= LONGEST_MESSAGE, `a message of ${message.length} characters: ${message}`)
  must(!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(message), `no single line: ${message}`)
}
