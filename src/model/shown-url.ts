import { fileURLToPath } from 'node:url'

/** A destination as people type it: a folder's path, any other as it is. */
export function shownUrl(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url
}
