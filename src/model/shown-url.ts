import { fileURLToPath } from 'node:url'

/** A destination as people type it: the path of a folder, any other URL as it is. */
export function shownUrl(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url
}
