import type { Dice } from '../dice.ts'

/** Characters of what a stretched text may have: more than any line that is read. */
const STRETCHED = 160 * 1024

/** Changes a text as bad disks, editors and people do. */
export function mutatedText(text: string, dice: Dice): string {
  let changed = text
  for (let left = dice.between(0, 3); left > 0; left -= 1) changed = dice.pick(TEXT_CHANGES)(changed, dice)
  return changed
}

type Change = (text: string, dice: Dice) => string

const ODD = [
  ...[
    '\u0000',
    '\u0001',
    '\t',
    '\n',
    '\r',
    '\r\n',
    '"',
    '\\',
    '\\u0000',
    '\\ud800',
    '\ufeff',
    '\u200b',
    '\u00a0',
    '\u202e',
  ],
  ...[
    '#',
    ',',
    ';',
    '{',
    '}',
    '[',
    ']',
    ':',
    '://',
    '/',
    '..',
    '-1',
    '0',
    '1e400',
    'NaN',
    '9007199254740993',
    '__proto__',
  ],
  ...['constructor', '=cmd', '%00', '%2F', '@', '\u{1f600}', 'e\u0301', '\ud800'],
]

const TEXT_CHANGES: readonly Change[] = [
  (text, dice) => at(text, dice, (before, after) => before + dice.pick(ODD) + after),
  (text, dice) => at(text, dice, (before, after) => before + after.slice(dice.between(1, 20))),
  (text, dice) => at(text, dice, (before) => before),
  (text, dice) => at(text, dice, (before, after) => before + text.slice(0, dice.between(0, 200)) + after),
  (text, dice) =>
    at(text, dice, (before, after) => before + String.fromCharCode(dice.between(1, 0xffff)) + after.slice(1)),
  (text) => text.replaceAll('\n', '\r\n'),
  (text) => text.replaceAll('\n', '\r'),
  (text) => `\ufeff${text}`,
  (text) => text + text,
  stretched,
]

/** Repeats a short piece until it is long: what takes steps beyond the length of the text shows then. */
function stretched(text: string, dice: Dice): string {
  return at(text, dice, (before, after) => {
    const piece = dice.number() < 0.5 ? dice.pick(ODD) : after.slice(0, dice.between(1, 4)) || 'x'
    return before + piece.repeat(Math.ceil(dice.between(1_000, STRETCHED) / piece.length)) + after
  })
}

function at(text: string, dice: Dice, change: (before: string, after: string) => string): string {
  const place = dice.between(0, text.length)
  return change(text.slice(0, place), text.slice(place))
}

/** Members of a small object. */
const SMALL = 4

/** Changes a JSON value in its structure: members go, come twice under other names, move, or hold something else. */
export function mutatedJson(value: unknown, dice: Dice): unknown {
  let changed = value
  for (let left = dice.between(0, 2); left > 0; left -= 1) changed = changedWithin(changed, dice)
  return changed
}

function changedWithin(value: unknown, dice: Dice): unknown {
  if (Array.isArray(value)) return changedList(value, dice)
  if (typeof value !== 'object' || value === null) return dice.number() < 0.5 ? value : oddValue(value, dice)
  const members = Object.entries(value)
  if (members.length === 0) return dice.number() < 0.5 ? value : [value]
  const which = dice.between(0, members.length - 1)
  const roll = dice.number()
  if (roll < 0.55)
    return object(members.map(([name, one], index) => [name, index === which ? changedWithin(one, dice) : one]))
  // Of a small object too little would be left to tell what it is.
  if (roll < 0.75 && members.length > SMALL) return object(members.filter((_, index) => index !== which))
  if (roll < 0.85) return object([...members.slice(which), ...members.slice(0, which)])
  if (roll < 0.95)
    return object(members.map(([name, one], index) => [name, index === which ? oddValue(one, dice) : one]))
  return dice.pick([[value], { status: 'OK', data: value }, { data: value }, { files: [value] }])
}

function changedList(list: readonly unknown[], dice: Dice): unknown {
  if (list.length === 0) return dice.number() < 0.5 ? list : {}
  const which = dice.between(0, list.length - 1)
  const roll = dice.number()
  if (roll < 0.7) return list.map((one, index) => (index === which ? changedWithin(one, dice) : one))
  if (roll < 0.8) return list.filter((_, index) => index !== which)
  if (roll < 0.9) return [...list, ...list]
  return dice.pick([list[which], { status: 'OK', data: list }, [list]])
}

function oddValue(value: unknown, dice: Dice): unknown {
  return dice.pick<unknown>([null, true, '', 'x', -1, 0.5, [], {}, [value], { value }, String(value), 'a'.repeat(3000)])
}

function object(members: readonly (readonly [string, unknown])[]): unknown {
  return Object.fromEntries(members)
}
