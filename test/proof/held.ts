import { createHash } from 'node:crypto'
import { bagEntries } from '../../src/proof/bagit/bag-entries.ts'
import { prepareBag, type BagOptions } from '../../src/proof/bagit/prepare-bag.ts'
import type { Description } from '../../src/proof/description.ts'
import type { Holding, HoldingFile, MissingFile } from '../../src/proof/holding.ts'
import { inMemory, type PackEntry } from '../../src/proof/pack/pack-entry.ts'
import type { PackTarget } from '../../src/proof/pack/write-pack.ts'
import { CrateBuilder } from '../../src/proof/ro-crate/crate-builder.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import type { ReadHeld } from '../../src/proof/verified-bytes.ts'

export const STAMP = '0123456789abcdef'
export const NOW = new Date('2026-11-27T12:00:00Z')
const DATASET = {
  pid: 'doi:10.5072/FK2/GRIDS',
  server: 'https://demo.dataverse.org',
  number: '1.0',
  releasedAt: '2026-01-02T03:04:05Z',
}
export const DESCRIPTION: Description = {
  title: 'Grids & <more>',
  text: 'Monthly grids.\nTwo lines.',
  authors: [
    { name: 'Lovelace, Ada', affiliation: 'Analytical Engines', identifier: 'https://orcid.org/0000-0002-1825-0097' },
    { name: 'Babbage, Charles' },
  ],
  contacts: [{ name: 'Curator', email: 'data@example.org' }],
  keywords: ['grid', 'ice'],
  license: { name: 'CC0 1.0', url: 'http://creativecommons.org/publicdomain/zero/1.0' },
}

/** Where a bag goes, unless it is said otherwise. */
export function packTarget(sink: Sink, given: Partial<PackTarget> = {}): PackTarget {
  const { signal } = new AbortController()
  const bag = { serialization: 'folder', marker: 'bagit.txt', stamp: STAMP, stamped: 'bag-info.txt' } as const
  return { sink, ...bag, now: NOW, signal, ...given }
}

/** A holding of these contents, by path in the dataset. */
export function held(
  contents: Readonly<Record<string, string>>,
  missing: readonly MissingFile[] = [],
): { readonly holding: Holding; readonly read: ReadHeld } {
  const files = Object.entries(contents).map(([path, content]): HoldingFile => {
    const hex = createHash('md5').update(content).digest('hex')
    const size = Buffer.byteLength(content)
    const id = `${DATASET.server}/file.xhtml?fileId=${size}`
    const fetchedAt = NOW.toISOString()
    return { place: path, path, size, checksum: { algorithm: 'md5', hex }, id, contentType: 'text/csv', fetchedAt }
  })
  const holding: Holding = {
    name: 'doi-10-5072-FK2-GRIDSv-1-0',
    dataset: DATASET,
    missing,
    // eslint-disable-next-line @typescript-eslint/require-await -- those of a batch are read with awaits
    files: (async function* () {
      yield* files
    })(),
    metadata: () => Promise.resolve(new Map()),
  }
  return { holding, read: ({ place }) => inMemory(Buffer.from(contents[place] ?? '')) }
}

/** The entries of a bag of these contents. */
export async function* bagOf(
  contents: Readonly<Record<string, string>>,
  options: Partial<BagOptions> & { readonly crate?: boolean; readonly ore?: unknown } = {},
): AsyncGenerator<PackEntry, void> {
  const { holding, read } = held(contents)
  const metadata = new Map([['dataset.json', Buffer.from('{}')]])
  if (options.ore !== undefined) metadata.set('oai-ore.jsonld', Buffer.from(JSON.stringify(options.ore)))
  const bag = prepareBag(
    { holding, description: DESCRIPTION, metadata },
    {
      serialization: 'folder',
      info: [],
      stamp: STAMP,
      software: 'dataferry/0',
      now: NOW,
      allowMissing: false,
      ...options,
    },
  )
  const crate = options.crate
    ? new CrateBuilder({ holding, description: DESCRIPTION, softwareVersion: '0', now: NOW, stamp: STAMP })
    : undefined
  yield* bagEntries({ bag, holding, read, crate, onFile: () => undefined })
}
