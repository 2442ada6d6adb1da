import type { Fault } from './faults.ts'
import type { FileSpec } from './specs.ts'
import { World } from './world.ts'

/** Datasets of the demonstration, in the order of their interest. */
export const DEMO_PIDS = ['doi:10.5072/FK2/CLIMATE', 'doi:10.5072/FK2/SURVEY', 'doi:10.5072/FK2/ARCHIVE'] as const

/** Database ids that the demonstration and its faults name. */
export const DEMO_FILES = {
  large: 1001,
  cutTwice: 1002,
  overloaded: 1003,
  wrongOnce: 1004,
  redirected: 1005,
  restricted: 3001,
} as const

const MIB = 1024 * 1024

/**
 * The world of the demonstration: three datasets, 244 files, the same at every start. It holds what a mirror meets:
 * empty and tiny files, one of 200 MiB, tabular ones, names that no file system likes, other stores, a restricted file.
 */
export function demoWorld(): World {
  const world = new World()
  world.collection('science', { title: 'Science' })
  world.collection('earth', { title: 'Earth sciences', parent: 'science' })
  world.dataset(DEMO_PIDS[0], { id: 10, title: 'Climate grids', collection: 'earth', files: climate() })
  world.dataset(DEMO_PIDS[1], {
    id: 11,
    title: 'Household survey',
    collection: 'science',
    versions: [
      { number: '1.0', files: survey(4) },
      { number: '1.1', files: survey(8) },
      { number: '2.0', files: survey(12) },
    ],
  })
  world.dataset(DEMO_PIDS[2], { id: 12, title: 'Archive of odd names', collection: 'science', files: archive() })
  return world
}

function climate(): FileSpec[] {
  const grids = Array.from({ length: 160 }, (_, index) => ({
    label: `grid-${String(index).padStart(3, '0')}.nc`,
    directory: `grids/${1990 + Math.floor(index / 10)}`,
    content: { size: 2000 + ((index * 7919) % 60_000), seed: index },
    contentType: 'application/netcdf',
    checksum: index % 2 === 0 ? ('SHA-1' as const) : ('SHA-256' as const),
  }))
  return [
    {
      id: DEMO_FILES.large,
      label: 'reanalysis.tar',
      content: { size: 200 * MIB, seed: 1 },
      contentType: 'application/x-tar',
    },
    { id: DEMO_FILES.cutTwice, label: 'station-data.zip', content: { size: 6 * MIB, seed: 2 } },
    { id: DEMO_FILES.overloaded, label: 'README.md', content: '# Climate grids\n', contentType: 'text/markdown' },
    { id: DEMO_FILES.wrongOnce, label: 'checks.bin', content: { size: 300_000, seed: 3 }, checksum: 'SHA-512' },
    { id: DEMO_FILES.redirected, label: 'model-output.h5', content: { size: 12 * MIB, seed: 4 }, store: 's3-redirect' },
    ...grids,
  ]
}

function survey(waves: number): FileSpec[] {
  return Array.from({ length: waves }, (_, wave) => wave).flatMap((wave) => [surveyTable(wave), questionnaire(wave)])
}

/** Rows of a made-up survey; every fourth table is stored with its header line. */
function surveyTable(wave: number): FileSpec {
  const header = ['id', 'age', 'answer']
  const rows = Array.from({ length: 200 }, (_, row) => [row, 18 + ((row * 7 + wave) % 60), (row * wave) % 5])
  return {
    id: 2000 + wave,
    label: `wave-${String(wave + 1).padStart(2, '0')}.tab`,
    directory: 'data',
    description: `Answers of wave ${wave + 1}`,
    categories: ['Data'],
    tabular: {
      original: `${header.join(',')}\r\n${rows.map((row) => row.join(',')).join('\r\n')}\r\n`,
      header,
      tab: rows.map((row) => `${row.join('\t')}\n`).join(''),
      storedWithHeader: wave % 4 === 3,
    },
  }
}

function questionnaire(wave: number): FileSpec {
  return {
    id: 2100 + wave,
    label: `questionnaire-${String(wave + 1).padStart(2, '0')}.pdf`,
    directory: 'documentation',
    content: { size: 40_000 + wave * 1000, seed: 100 + wave },
    contentType: 'application/pdf',
    store: wave % 3 === 0 ? 's3-redirect' : 'stream',
  }
}

function archive(): FileSpec[] {
  const names: FileSpec[] = [
    { label: 'empty.txt' },
    { label: 'one-byte.txt', content: 'x' },
    { label: 'Übersicht.txt'.normalize('NFC'), content: 'composed' },
    { label: 'Übersicht.txt'.normalize('NFD'), content: 'decomposed' },
    { label: 'CON.txt', content: 'a device on Windows' },
    { label: 'ends-with-a-dot.', content: 'dot' },
    { label: '../evil.txt', content: 'wants out of its folder' },
    { label: 'out.txt', directory: '../../outside', content: 'so does this one' },
    { label: `${'long-'.repeat(60)}.txt`, content: 'a name of 304 bytes' },
    { label: 'Readme.txt', content: 'first' },
    { label: 'README.TXT', content: 'second' },
    { label: 'notes', content: 'a file named like a folder' },
    { label: 'inside.txt', directory: 'notes', content: 'inside that folder' },
    { label: 'what? a "name": <this>|*.txt', content: 'not on Windows' },
    { label: '数据 и данные 📈.csv', content: 'a,b\n1,2\n' },
    { label: 'no-checksum.dat', content: { size: 5000, seed: 60 }, checksum: null },
    { id: DEMO_FILES.restricted, label: 'interviews.zip', content: { size: 9000, seed: 61 }, restricted: true },
  ]
  const letters = Array.from({ length: 38 }, (_, index) => ({
    label: `letter-${String(index + 1).padStart(2, '0')}.txt`,
    directory: `letters/${1900 + (index % 4)}`,
    content: { size: 300 + index * 17, seed: 200 + index },
    contentType: 'text/plain',
    checksum: (['MD5', 'SHA-1', 'SHA-256', 'SHA-512'] as const)[index % 4] ?? 'MD5',
  }))
  return [...names, ...letters]
}

/** What goes wrong in the demonstration, once or twice and never for good. */
export function demoFaults(): readonly Fault[] {
  return [
    {
      file: DEMO_FILES.large,
      steps: [
        { kind: 'cut', after: 60 * MIB },
        { kind: 'cut', after: 50 * MIB },
      ],
    },
    { file: DEMO_FILES.cutTwice, steps: [{ kind: 'cut', after: 2 * MIB }, { kind: 'reset' }] },
    { file: DEMO_FILES.overloaded, steps: [{ kind: 'status', status: 503, body: 'html', retryAfter: '1' }] },
    { file: DEMO_FILES.wrongOnce, steps: [{ kind: 'flip', at: 1234 }] },
    { file: DEMO_FILES.redirected, origin: 'storage', steps: [{ kind: 'cut', after: 3 * MIB }] },
  ]
}
