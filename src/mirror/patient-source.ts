import type { ListedFile, MislistedFile } from '../model/listing.ts'
import type { MirrorSource } from '../model/mirror-source.ts'
import { patiently, type Patience } from '../plan/patient-catalogue.ts'

export interface PatientOptions {
  readonly patience: Patience
  /** Told of each question, by its kind. */
  readonly count: (kind: string) => void
}

/** A source that waits while its server is away, and counts what it is asked. */
export function patientSource(source: MirrorSource, { patience, count }: PatientOptions): MirrorSource {
  const asked = <T>(kind: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
    patiently(
      () => {
        count(kind)
        return work()
      },
      patience,
      signal,
    )
  return {
    async *search(scope, after, signal) {
      let last = after
      for (;;) {
        // Each page is a question of its own, which begins after the last dataset of the page before.
        const page = await asked('search', signal, async () => {
          for await (const datasets of source.search(scope, last, signal)) return datasets
          return []
        })
        const end = page.at(-1)
        if (!end) return
        yield page
        last = end.id
      }
    },
    walk: (collection, tell, signal) =>
      source.walk(collection, tell, signal, (call) => asked('contents', signal, call)),
    find: (pid, signal) => asked('dataset', signal, () => source.find(pid, signal)),
    indexed: (dataset, signal) => asked('search', signal, () => source.indexed(dataset, signal)),
    owners: (collection, signal) => asked('collection', signal, () => source.owners(collection, signal)),
    versions: (dataset, signal) => asked('versions', signal, () => source.versions(dataset, signal)),
    async *files(dataset, version, signal) {
      yield* await asked('files', signal, async () => {
        const found: (ListedFile | MislistedFile)[] = []
        for await (const one of source.files(dataset, version, signal)) found.push(one)
        return found
      })
    },
    ask: (dataset, signal) => asked('dataset', signal, () => source.ask(dataset, signal)),
    metadata: (dataset, version, signal) => asked('version', signal, () => source.metadata(dataset, version, signal)),
    export: (pid, exporter, signal) => asked('export', signal, () => source.export(pid, exporter, signal)),
    setDefinition: (set, signal) => asked('set', signal, () => source.setDefinition(set, signal)),
  }
}
