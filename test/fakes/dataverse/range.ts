/** What a Range header asks of an object of known size. `to` is exclusive. */
export type Range =
  | { readonly kind: 'part'; readonly from: number; readonly to: number }
  | { readonly kind: 'refused'; readonly message: string }
  /** A suffix longer than the file: the real server computes a negative start and breaks (note §4, §12). */
  | { readonly kind: 'broken' }

const FORMAT = 'The format is bytes=<range-start>-<range-end> where start and end are optional.'
const START = 'Start is larger than end or size of file.'

/** Reads a Range header as Dataverse does: one range, no blanks, unit `bytes`; everything else is an error. */
export function readRange(header: string, size: number): Range {
  if (!/^bytes=\d*-\d*(,\d*-\d*)*$/.test(header)) return { kind: 'refused', message: FORMAT }
  if (header.includes(',')) return { kind: 'refused', message: 'Only one range is allowed.' }
  const [first = '', last = ''] = header.slice('bytes='.length).split('-')
  if (first === '') {
    if (last === '' || Number(last) === 0) return { kind: 'refused', message: START }
    if (Number(last) > size) return { kind: 'broken' }
    return { kind: 'part', from: size - Number(last), to: size }
  }
  const from = Number(first)
  const to = last === '' ? size : Math.min(Number(last) + 1, size)
  return from >= size || from >= to ? { kind: 'refused', message: START } : { kind: 'part', from, to }
}
