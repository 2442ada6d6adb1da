/**
 * Text from untrusted sources: servers, manifests, file names. A file name may contain an escape sequence that recolours
 * the screen, or marks that make `exe.txt` read as `txt.exe`. Code that shows such text to people or logs it
 * makes these characters visible first: `Output`, the logger, `DataferryError` and the tables of a batch.
 */

/** Controls (C0, DEL, C1), bidirectional marks, line separators, invisible fillers, tags, and halves of surrogate pairs. */
const HOSTILE =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu

/** Makes characters visible that a terminal would act on: ESC → `\x1b`, RIGHT-TO-LEFT OVERRIDE → `\u{202e}`. */
export function visibleText(text: string): string {
  return text.replaceAll(HOSTILE, escaped)
}

/** The same for text of several lines: only the line ends stay. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visibleText).join('\n')
}

/** Escapes characters in one line of JSON, which stays the same JSON. */
export function visibleJson(json: string): string {
  return json.replaceAll(HOSTILE, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join(''),
  )
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
