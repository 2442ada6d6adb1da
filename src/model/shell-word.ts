/** Quotes a word for a POSIX shell if needed. Control characters become escapes, which bash, zsh and ksh read. */
export function shellWord(word: string): string {
  if (/^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*$/.test(word)) return word
  if (!/[\p{C}\p{Zl}\p{Zp}]/u.test(word)) return `'${word.replaceAll("'", "'\\''")}'`
  const escaped = word.replaceAll(/[\\']/g, '\\$&').replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, bytesOf)
  return `$'${escaped}'`
}

function bytesOf(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}
