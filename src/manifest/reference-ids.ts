import { badLine, quoted } from './bad-line.ts'

/** Reads a database id. Throws a bad line. */
export function readId(text: string): number {
  const id = Number(text)
  if (text.length > MAX_DIGITS || !/^\d+$/.test(text) || !Number.isSafeInteger(id) || id === 0) {
    throw badLine(`${quoted(text)} is not an id: ids are whole numbers from 1`)
  }
  return id
}

/** Reads ids separated by spaces, commas or semicolons; repeated ones count once, as in Dataverse. Throws a bad line. */
export function readIds(text: string): readonly number[] {
  const ids = wordsOf(text)
  if (ids.length === 0) throw badLine('no id is given for the ZIP: give file ids separated by spaces')
  return [...new Set(ids.map(readId))]
}

const MAX_DIGITS = 16

function wordsOf(text: string): string[] {
  const words: string[] = []
  let word = ''
  for (const character of `${text} `) {
    if (character !== ',' && character !== ';' && character.trim() !== '') word += character
    else if (word !== '') {
      words.push(word)
      word = ''
    }
  }
  return words
}
