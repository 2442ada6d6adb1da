import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { byteCount } from '../src/config/setting-values.ts'
import { S3_PROGRAMS } from '../test/s3-process.ts'

/** The benchmarks by name, in the order in which they run. */
export const NAMES = [
  'large',
  'digest',
  'small',
  'bundle',
  'queue',
  'manifest',
  's3',
  'verify',
  'mirror',
  'start',
  'scale',
] as const
export type Name = (typeof NAMES)[number]

/** Which form of the program is measured: the compiled one that people get, or the sources through `tsx`. */
const PROGRAMS = ['dist', 'source'] as const
export type Program = (typeof PROGRAMS)[number]

const MIB = 1024 * 1024
const count = (from: number): z.ZodCoercedNumber => z.coerce.number().int().min(from)
/** Several, with commas between. */
const counts = (from: number) =>
  z
    .string()
    .transform((text) => text.split(',').map(Number))
    .pipe(z.array(z.number().int().min(from)).min(1))
const optionsSchema = z.object({
  /** Bytes of the one file of `large`, `digest` and `s3`, and of all large files of `verify`. */
  size: count(1).default(2048 * MIB),
  /** Bytes a second of each connection of `large`, such as 10M, which is then measured with several of them. */
  throttle: byteCount.optional(),
  /** Files of `small` and `scale`. */
  files: count(1).default(5000),
  /** Bytes of each file of `small`. */
  'file-size': count(0).default(20 * 1024),
  /** Milliseconds that the stand-in waits before each answer, for `small`. */
  latency: counts(0).default([0, 50]),
  /** Streams at once, for every contender alike. */
  streams: count(1).default(4),
  /** Items of `queue`. */
  items: count(1).default(20_000),
  /** Manifest lines that `manifest` plans. */
  count: count(1).default(1_000_000),
  /** Manifest lines that `manifest` downloads. */
  'run-count': count(0).default(100_000),
  /** Receipts of the destinations that `verify` looks at. */
  receipts: counts(2).default([100_000, 1_000_000]),
  /** Datasets of the mirrors of `mirror`, one after the other. */
  datasets: counts(100).default([10_000, 100_000]),
  /** Datasets whose first run `mirror` measures; it asks three times for each. Of more its end is written instead. */
  first: count(0).default(10_000),
  /** S3 server of `s3`. */
  store: z.enum(S3_PROGRAMS).default('versitygw'),
  /** Runs of each contender, in turns; the median counts. */
  repeat: count(1).default(3),
  /** Seconds after which one run is given up. */
  timeout: count(1).default(1800),
  /** Folder for downloads; default a memory file system where there is one, else the temporary folder. */
  dir: z.string().optional(),
  program: z.enum(PROGRAMS).default('dist'),
  /** Folder for CPU profiles of the dataferry runs, which are slower for it. */
  profile: z.string().optional(),
})
export type Options = Readonly<z.infer<typeof optionsSchema>>

export const USAGE = `npm run bench -- [${NAMES.join(' | ')}]… [flags]
Flags: ${Object.keys(optionsSchema.shape)
  .map((name) => `--${name}`)
  .join(' ')}
See docs/benchmarks.md.`

/** Reads the command line; no name means all. Throws an error fit for people on anything unknown. */
export function readOptions(args: readonly string[]): { readonly names: readonly Name[]; readonly options: Options } {
  const flags = Object.fromEntries(Object.keys(optionsSchema.shape).map((name) => [name, { type: 'string' as const }]))
  const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true })
  const named = z.array(z.enum(NAMES)).parse(positionals)
  return { names: named.length === 0 ? NAMES : named, options: optionsSchema.parse(values) }
}

/** What the numbers depend on besides the program. */
export function machine(): Record<string, string | number> {
  const [first] = cpus()
  return { cpu: first?.model ?? 'unknown', cores: cpus().length, node: process.version, platform: process.platform }
}
