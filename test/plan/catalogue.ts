import { DataferryError } from '../../src/errors.ts'
import type { Catalogue, ListedFile, ListedVersion, MislistedFile } from '../../src/model/listing.ts'

/** A server in memory: datasets by PID, each with its versions, oldest first. */
export type Datasets = Readonly<
  Record<string, readonly { readonly version: string; readonly files: readonly (ListedFile | MislistedFile)[] }[]>
>

export interface Counted extends Catalogue {
  /** Every call, in order, e.g. `files doi:10.5072/A 2.0`. */
  readonly calls: string[]
  /** What the next calls meet. */
  fail: (call: string) => DataferryError | undefined
}

export function catalogueOf(datasets: Datasets, tellsCase = false): Counted {
  const calls: string[] = []
  const begin = (call: string): void => {
    calls.push(call)
    const error = catalogue.fail(call)
    if (error) throw error
  }
  const versionsOf = (dataset: number | string) => {
    const found = datasets[String(dataset)]
    if (!found) throw new DataferryError('SOURCE_NOT_FOUND', `No dataset ${dataset}.`)
    return found
  }
  const catalogue: Counted = {
    calls,
    fail: () => undefined,
    tellsCase: () => Promise.resolve(tellsCase),
    async version(dataset, selector) {
      await Promise.resolve()
      begin(`version ${dataset} ${selector}`)
      const versions = versionsOf(dataset)
      const found = selector.startsWith(':') ? versions.at(-1) : versions.find(({ version }) => version === selector)
      if (!found) throw new DataferryError('SOURCE_NOT_FOUND', `No version ${selector} of ${dataset}.`)
      return { dataset: String(dataset), version: found.version }
    },
    async *files(dataset, version) {
      await Promise.resolve()
      begin(`files ${dataset} ${version}`)
      yield* versionsOf(dataset).find((one) => one.version === version)?.files ?? []
    },
    async file(file) {
      await Promise.resolve()
      begin(`file ${file}`)
      for (const [dataset, versions] of Object.entries(datasets)) {
        for (const { version, files } of [...versions].reverse()) {
          const known = files.filter((one): one is ListedFile => !('mislisted' in one))
          const found = known.find(({ id, pid }) => id === file || pid === file)
          const where: ListedVersion = { dataset, version }
          if (found) return { ...found, in: where }
        }
      }
      throw new DataferryError('SOURCE_NOT_FOUND', `No file ${file}.`)
    },
  }
  return catalogue
}

/** A file of a listing; its name and size follow from its id. */
export function listed(id: number, more: Partial<ListedFile> = {}): ListedFile {
  const checksum = { algorithm: 'md5', hex: String(id).padStart(32, '0') } as const
  return { id, label: `f${id}.bin`, directory: '', size: id * 10, checksum, tabular: false, ...more }
}
