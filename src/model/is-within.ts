/** Whether the URL of a destination is one of those that are named, or below one. */
export function isWithin(url: string, named: readonly string[]): boolean {
  return named.some((one) => url === one || url.startsWith(`${one.replace(/\/$/, '')}/`))
}
