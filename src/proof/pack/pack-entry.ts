/** How a bag or crate is kept: as a folder, or as one file. */
export type Serialization = 'folder' | 'zip' | 'tar'

/** A file of a bag or crate, or an empty folder. Its bytes are read once, before the next entry is asked for. */
export interface PackEntry {
  /** In the bag or crate; of a folder with a slash at its end. */
  readonly path: string
  readonly size: number
  readonly chunks: AsyncIterable<Uint8Array>
  /** Where the same bytes are at the source. */
  readonly place?: string | undefined
}

/** Chunks that are in memory. */
// eslint-disable-next-line @typescript-eslint/require-await -- the bytes of files are read with awaits
export async function* inMemory(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
