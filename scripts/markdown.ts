/** Stands on top of every page that is made from the code. */
export const NOTICE = '<!-- Made by `npm run docs` from the code: change it there. -->'

export function page(parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`
}

export function fenced(text: string, language = 'text'): string {
  return `\`\`\`${language}\n${text}\n\`\`\``
}

export function code(text: string): string {
  return `\`${text}\``
}

export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n')
}
