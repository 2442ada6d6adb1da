import { inspect } from 'node:util'
import { z } from 'zod'
import type { Bundle } from '../model/batch.ts'
import { Timetable, type Bandwidth } from '../model/timetable.ts'

/**
 * How a setting's text becomes a value. Flags and the environment give text, the config file also numbers and lists;
 * every reader takes all of them. A message says what is expected; its caller adds where the text came from.
 */
function value<T>(wanted: string, read: (text: string) => T | undefined) {
  const message = `expected ${wanted}`
  return z.union([z.string(), z.number()], { error: message }).transform((raw, context) => {
    const result = read(String(raw).trim())
    if (result !== undefined) return result
    context.addIssue(message)
    return z.NEVER
  })
}

/** A whole number within bounds, both included. */
export function whole(from: number, to: number) {
  return value(`a whole number from ${from} to ${to}`, (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN
    return number >= from && number <= to ? number : undefined
  })
}

/** `auto`, or a whole number within bounds, both included. */
export function autoOrWhole(from: number, to: number) {
  return value(`auto or a whole number from ${from} to ${to}`, (text): 'auto' | number | undefined => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN
    if (text === 'auto') return text
    return number >= from && number <= to ? number : undefined
  })
}

/** One of several words. */
export function choice<const T extends readonly [string, ...string[]]>(words: T) {
  return value<T[number]>(`one of ${words.join(', ')}`, (text) => words.find((word) => word === text))
}

/** A switch. A flag without a value is `yes`. */
export function yesOrNo() {
  return z.union([z.boolean(), z.string()], { error: 'expected yes or no' }).transform((raw, context) => {
    const text = String(raw).trim().toLowerCase()
    if (['yes', 'true', '1'].includes(text)) return true
    if (['no', 'false', '0'].includes(text)) return false
    context.addIssue('expected yes or no')
    return z.NEVER
  })
}

/** Text that is not empty and, when given, has a form. */
export function word(wanted: string, form = /./) {
  return value(wanted, (text) => (form.test(text) ? text : undefined))
}

const BYTE_UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }

/** Bytes as `curl` and `wget` write them: `500K`, `10M`, `1.5G`; K is 1024. */
export const byteCount = value('a number of bytes such as 500K or 10M', bytesOf)

/** Bytes a second, `off`, or a timetable of them. */
export const bandwidth = value(
  'bytes per second such as 500K, or a timetable of them with their units such as "08:00,2M 19:00,off"',
  (text): Bandwidth | 'off' | undefined => (text === 'off' ? text : (bytesOf(text) ?? Timetable.parse(text, bytesOf))),
).transform((rate) => (rate === 'off' ? undefined : rate))

/** `off`, `auto`, or bytes. */
export const bundleSize = value('off, auto, or a number of bytes such as 500K', (text): Bundle | undefined =>
  text === 'off' || text === 'auto' ? text : bytesOf(text),
)

function bytesOf(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text) ?? []
  const bytes = Math.round(Number(number) * (BYTE_UNITS[unit.toUpperCase()] ?? NaN))
  return bytes > 0 ? bytes : undefined
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * A duration with its unit, in milliseconds: `500ms`, `60s`, `30m`, `1h`, `90d`. A number without a unit is refused, as `60` may
 * mean seconds to one reader and milliseconds to the next.
 */
export function durationMs(atLeast: number) {
  return value('a duration with its unit, such as 500ms, 60s or 30m', (text) => {
    const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
    const ms = Math.round(Number(number) * (DURATION_UNITS[unit] ?? NaN))
    return ms >= atLeast ? ms : undefined
  })
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/**
 * The base URL of an installation, as it is compared everywhere: `dataverse.example.edu/dv/` →
 * `https://dataverse.example.edu/dv`. A sub-path is kept.
 * @returns undefined when it is no http(s) URL, or holds a user, a query or a fragment.
 */
export function normalServer(text: string): string | undefined {
  const url = parseUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`)
  if (!url?.hostname || !['http:', 'https:'].includes(url.protocol)) return undefined
  if (url.username || url.password || url.search || url.hash) return undefined
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

/** See `normalServer`. */
const serverUrl = value(
  'the URL of a Dataverse installation such as https://demo.dataverse.org, without user, query or fragment',
  normalServer,
)

/** Several values: a list, or text separated by commas or spaces. */
function listOf<T extends z.ZodType<unknown, string | number>>(one: T, error: string) {
  const list = z.array(z.union([z.string(), z.number()]))
  const text = z.string().transform((words): (string | number)[] => words.split(/[\s,]+/).filter(Boolean))
  return z.union([list, text], { error }).default([]).pipe(z.array(one))
}

/** See `normalServer`; several of them. */
export const serverUrls = listOf(serverUrl, 'expected a URL or a list of URLs')

/** Several words out of a few. */
export function choices<const T extends readonly [string, ...string[]]>(words: T) {
  return listOf(choice(words), `expected ${words.join(', ')}`)
}

/** Hosts, each a name or an address, with or without a port. */
export const hosts = listOf(
  value('a host such as storage.example.edu, 10.0.0.5 or 10.0.0.5:9000', (text) => {
    const url = parseUrl(`http://${text}`)
    return url && url.host !== '' && url.pathname === '/' && !url.username && !url.search && !url.hash
      ? url.host
      : undefined
  }),
  'expected a host or a list of hosts',
)

/** A text that may hold a password: printing, inspecting or serialising it hides the password. */
export class Secret {
  readonly #value: string
  /** For people: the same without the password. */
  readonly shown: string

  constructor(text: string, shown: string) {
    this.#value = text
    this.shown = shown
  }

  /** A Redis URL, which `src/queue` reads in full. Shown without its password. */
  static readonly redisUrl = value('a Redis URL such as redis://localhost:6379', (text) => {
    if (!/^(rediss?(\+\w+)?|unix):\/\/./i.test(text)) return undefined
    // Up to the last `@`: a password may contain one, and hiding too much is the safe error.
    return new Secret(text, text.replace(/\/\/([^:@]*):.*@/, '//$1:***@').replace(/\?(?!db=\d+$).*/, '?***'))
  })

  /** Whether there is anything to hide. */
  get hides(): boolean {
    return this.shown !== this.#value
  }

  /** The text itself, for connecting with it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return this.shown
  }

  toJSON(): string {
    return this.shown
  }

  [inspect.custom](): string {
    return this.shown
  }
}
