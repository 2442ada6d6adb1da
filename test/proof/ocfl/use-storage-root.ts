import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { layoutNamed, type Layout } from '../../../src/proof/ocfl/layout.ts'
import { openStorageRoot, type StorageRoot } from '../../../src/proof/ocfl/storage-root.ts'
import { diskSink } from '../../../src/sinks/disk/disk-sink.ts'
import { ID } from '../ocfl-history.ts'

const { signal } = new AbortController()

/** Throws for a name that is none. */
export function layoutOf(name: string): Layout {
  const found = layoutNamed(name)
  if (!found) throw new Error(`no layout ${name}`)
  return found
}

/** The folder of a storage root that is empty in each test. */
export class RootFolder {
  /** Of the test's own. */
  folder = ''

  get path(): string {
    return join(this.folder, 'root')
  }

  /** @param layout by its name; undefined: what there is */
  open(layout?: string): Promise<StorageRoot> {
    const wanted = layout === undefined ? undefined : layoutOf(layout)
    return openStorageRoot({ sink: diskSink(this.path), folder: '', layout: wanted, signal })
  }

  objectPath(layout = '0004', pid = ID): string {
    return join(this.path, layoutOf(layout).pathOf(pid))
  }
}

/** Call at the top of a test file. */
export function useStorageRoot(): RootFolder {
  const root = new RootFolder()
  beforeEach(async () => {
    root.folder = await mkdtemp(join(tmpdir(), 'df-ocfl-'))
  })
  afterEach(async () => {
    await rm(root.folder, { recursive: true })
  })
  return root
}
