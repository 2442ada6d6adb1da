const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `1536` → `1.5 KiB`. Three digits at most, so that columns stay narrow. */
export function formatBytes(bytes: number): string {
  // 1023.9 KiB would be shown as 1024 KiB: it is 1.0 MiB.
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`
}

/** Bytes a second: `23 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}

/** `360` → `0.4 s`, `65_000` → `1 min 5 s`, `5_400_000` → `1 h 30 min`, `200_000_000` → `2 d 7 h`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return pair(seconds, 60, 'min', 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 1440) return pair(minutes, 60, 'h', 'min')
  return pair(Math.round(minutes / 60), 24, 'd', 'h')
}

function pair(total: number, per: number, big: string, small: string): string {
  const rest = total % per
  return rest === 0 ? `${Math.floor(total / per)} ${big}` : `${Math.floor(total / per)} ${big} ${rest} ${small}`
}

/** `20000` → `20,000`. */
export function formatCount(count: number): string {
  return counts.format(count)
}

/** `(1, 'file')` → `1 file`, `(2000, 'file')` → `2,000 files`, `(2, 'entry', 'entries')` → `2 entries`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}
