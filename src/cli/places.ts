import { relative } from 'node:path'
import { shownUrl } from '../model/shown-url.ts'

/** For people: short on a terminal, in full where it is read later, such as in the mail of a cron job. */
export function placeFor({ isTerminal }: { readonly isTerminal: boolean }, url: string): string {
  return isTerminal ? nearUrl(url) : shownUrl(url)
}

/** The same, seen from the folder that the command was typed in when it lies below that. */
function nearUrl(url: string, cwd = process.cwd()): string {
  const place = shownUrl(url)
  if (place === url) return url
  const near = relative(cwd, place)
  return near === '' || near.startsWith('..') ? place : near
}
