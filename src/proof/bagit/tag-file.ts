/** A field of a tag file such as `bag-info.txt`. A label may come more than once. */
export type TagField = readonly [label: string, value: string]

/** Columns of a line. @see RFC 8493 §2.2.2: 79 at most, so that people can read it */
const COLUMNS = 79

/** Writes fields, long ones on several lines; a line break in a value is a space. */
export function tagFileText(fields: readonly TagField[]): string {
  return fields.map(([label, value]) => `${folded(`${label}: ${oneLine(value)}`)}\n`).join('')
}

/** A value as it is read again. */
export function oneLine(value: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  return value.replaceAll(/[\s\u0000-\u001f\u007f\u0085]+/g, ' ').trim()
}

function folded(text: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && longer.length > (lines.length === 0 ? COLUMNS : COLUMNS - 1)) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].join('\n ')
}

/**
 * Reads fields; a line that begins with a blank continues the one before it.
 * @returns undefined when a line is no field
 */
export function readTagFile(text: string): readonly TagField[] | undefined {
  const fields: [label: string, value: string][] = []
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line.trim() === '') continue
    const last = fields.at(-1)
    if (/^[ \t]/.test(line)) {
      if (!last) return undefined
      last[1] = `${last[1]} ${line.trim()}`.trim()
      continue
    }
    const colon = line.indexOf(':')
    const label = line.slice(0, Math.max(0, colon)).trim()
    if (label === '') return undefined
    fields.push([label, line.slice(colon + 1).trim()])
  }
  return fields
}

/** All values of a label, which is the same in any case. */
export function valuesOf(fields: readonly TagField[], label: string): readonly string[] {
  return fields.filter(([name]) => name.toLowerCase() === label.toLowerCase()).map(([, value]) => value)
}
