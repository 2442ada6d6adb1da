import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Target } from '../../src/model/entry.ts'
import type { FileSpec } from '../fakes/dataverse/specs.ts'
import { startDataverse } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { rounds } from '../rounds.ts'
import { wholeRun, type Ran } from './whole-run.ts'

const PID = 'doi:10.5072/FK2/RANDOM'
const TOP = 'doi-10.5072-FK2-RANDOM'

const REASONS = ['restricted', 'embargoed', 'retention-expired', 'missing'] as const
type Withheld = (typeof REASONS)[number] | 'allowed'

interface RandomFile {
  readonly label: string
  readonly directory: string
  readonly text: string
  readonly checksum: 'MD5' | 'SHA-1' | 'SHA-256' | 'SHA-512' | null
  readonly withheld: Withheld
}

const file: fc.Arbitrary<RandomFile> = fc.record({
  label: fc.constantFrom('a.csv', 'a_1.csv', 'b', 'ü ☃.txt', 'MANIFEST.TXT', 'c.bin', 'd.tar.gz'),
  directory: fc.constantFrom('', 'x', 'x/y', 'z'),
  // Few contents, so that equal ones are common; sizes around the buffers and limits below.
  text: fc.oneof(
    fc.constantFrom('', 'same', 'other'),
    fc
      .record({ seed: fc.integer({ min: 0, max: 9 }), size: fc.integer({ min: 1, max: 20_000 }) })
      .map(({ seed, size }) => createHash('sha512').update(String(seed)).digest('base64').repeat(250).slice(0, size)),
  ),
  checksum: fc.constantFrom('MD5', 'SHA-1', 'SHA-256', 'SHA-512', null),
  withheld: fc.oneof({ weight: 8, arbitrary: fc.constant('allowed' as const) }, fc.constantFrom(...REASONS)),
})

const situation = fc.record({
  files: fc.uniqueArray(file, { minLength: 1, maxLength: 40, selector: (one) => `${one.directory}/${one.label}` }),
  profile: fc.constantFrom('6.9', '6.10', '6.11'),
  zipLimit: fc.constantFrom(1, 5_000, 60_000, 1_000_000),
  /** What the client believes, which may be wrong. */
  believed: fc.constantFrom(undefined, 1_000_000),
  cut: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 120_000 })),
  externalZip: fc.boolean(),
})
type Situation = typeof situation extends fc.Arbitrary<infer S> ? S : never

const ROUNDS = rounds(40)

test('whatever a server leaves out or cuts off, every allowed file is there once and right, and every other one is reported', async () => {
  await fc.assert(
    fc.asyncProperty(situation, async (given) => {
      const ran = await brought(given, { kind: 'dataset', dataset: PID }, 'auto')
      const { planned, done, failed, missing } = ran.report
      expect({ planned, ended: done + failed, missing }).toEqual({
        planned: given.files.length,
        ended: planned,
        missing: 0,
      })
      expect(contents(ran, TOP)).toEqual(allowed(given))
      expect(new Set([...ran.failures].map(([path, { code }]) => `${path} ${code}`))).toEqual(
        new Set(
          given.files.flatMap((one) => {
            if (one.withheld === 'allowed') return []
            return `${TOP}/${pathOf(one)} ${CODES[one.withheld] ?? 'SOURCE_DENIED'}`
          }),
        ),
      )
      // Bytes that are missing may be an outage of the storage: all of three attempts are made.
      const lost = given.files.filter(({ withheld }) => withheld === 'missing').length
      expect(ran.retries.items).toBe(2 * lost)
    }),
    ROUNDS,
  )
})

test('an archive that is kept holds, with its record of what was left out, every file that was asked for', async () => {
  await fc.assert(
    fc.asyncProperty(situation, async (given) => {
      const ran = await brought(given, { kind: 'dataset-zip', dataset: PID }, 'off')
      const [failure] = ran.failures.values()
      if (failure) {
        expect(['ZIP_DAMAGED', 'SOURCE_DENIED', 'SOURCE_FAILED']).toContain(failure.code)
        expect(ran.store.files.size).toBe(0)
        return
      }
      const [receipt] = ran.receipts.values()
      const leftOut = new Set(receipt?.leftOut?.map(({ path }) => path))
      expect(receipt?.verified).toBe('structure')
      expect(ran.report.complete).toBe(leftOut.size === 0)
      const sent = new Set(given.files.flatMap(({ withheld, text }) => (withheld === 'allowed' ? [text] : [])))
      // Of two files with the same bytes either may be told to be the one that is there.
      for (const one of given.files) if (!sent.has(one.text)) expect(leftOut).toContain(pathOf(one))
      const [, included = ''] = /^(\d+) of/.exec(receipt?.note ?? '') ?? []
      expect(Number(included) + leftOut.size).toBe(given.files.length)
    }),
    ROUNDS,
  )
})

async function brought(given: Situation, target: Target, bundle: 'auto' | 'off'): Promise<Ran> {
  const world = new World()
  world.dataset(PID, { files: given.files.map(specOf) })
  const { profile, zipLimit, cut, externalZip, believed } = given
  const server = await startDataverse({ world, profile, zipLimit, zipCutAfterBytes: cut, externalZip })
  try {
    return await wholeRun({
      server,
      entries: [{ target }],
      batch: { bundle },
      ...(believed !== undefined && { zipLimit: believed }),
    })
  } finally {
    await server.close()
  }
}

/** What each reason is told as, where that is not `SOURCE_DENIED`. */
const CODES: Readonly<Partial<Record<Withheld, string>>> = {
  missing: 'SOURCE_BYTES_MISSING',
  embargoed: 'SOURCE_EMBARGOED',
  'retention-expired': 'SOURCE_RETENTION_OVER',
}

function specOf({ label, directory, text, checksum, withheld }: RandomFile): FileSpec {
  return {
    label,
    directory,
    content: text,
    checksum,
    ...(withheld === 'restricted' && { restricted: true }),
    ...(withheld === 'embargoed' && { embargo: { dateAvailable: '2999-01-01' } }),
    ...(withheld === 'retention-expired' && { retention: { dateUnavailable: '2001-01-01' } }),
    ...(withheld === 'missing' && { store: 'missing' as const }),
  }
}

function pathOf({ directory, label }: RandomFile): string {
  return [directory, label].filter((part) => part !== '').join('/')
}

/** How often each content is at the destination, in whatever place below the dataset's folder. */
function contents({ store }: Ran, top: string): string[] {
  return [...store.files]
    .map(([path, { bytes }]) => `${path.startsWith(`${top}/`)} ${Buffer.from(bytes).toString()}`)
    .sort()
}

function allowed({ files }: Situation): string[] {
  return files.flatMap(({ withheld, text }) => (withheld === 'allowed' ? [`true ${text}`] : [])).sort()
}
