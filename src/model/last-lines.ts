/** As many of the last lines of a text as fit; a last line that is too long begins at a word, after an ellipsis. */
export function lastLines(text: string, most: number): string {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  let kept = ''
  for (const line of lines.filter((one) => one !== '').reverse()) {
    const more = kept === '' ? line : `${line}\n${kept}`
    if (more.length > most) return kept === '' ? `… ${line.slice(-most).replace(/^\S*\s+/, '')}` : kept
    kept = more
  }
  return kept
}
