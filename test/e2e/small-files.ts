import type { WorldJson } from '../fakes/dataverse/world-json.ts'

export const SMALL_FILES_PID = 'doi:10.5072/FK2/MANY'

/** One dataset of so many small files. */
export function smallFiles(count: number): WorldJson {
  const files = Array.from({ length: count }, (_, i) => ({
    id: 100 + i,
    label: `${i}.bin`,
    content: { size: 900, seed: i },
  }))
  return { datasets: [{ pid: SMALL_FILES_PID, files }] }
}
