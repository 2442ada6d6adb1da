import { createHash } from 'node:crypto'
import { layoutNamed } from '../../../src/proof/ocfl/layout.ts'
import type { Tree } from '../../../src/proof/tree.ts'
import { validateOcfl, type OcflKind } from '../../../src/proof/ocfl/validate/validate-root.ts'
import type { OcflFinding, OcflRelease } from '../../../src/proof/ocfl/validate/codes.ts'
import { inMemory } from '../../../src/proof/pack/pack-entry.ts'

type Paths = Record<string, string[]>
type Json = Record<string, unknown>
export interface DraftVersion extends Json {
  state: Paths
}
/** An inventory that may be made wrong in any way. */
export interface DraftInventory extends Json {
  manifest: Paths
  versions: Record<string, DraftVersion>
}

export function digest(text: string, algorithm = 'sha512'): string {
  return createHash(algorithm).update(text).digest('hex')
}

/** An object of one version after the other, each with a file of its own, that rules can be broken in. */
export class ObjectDraft {
  /** By the folder that they are in: '', 'v1', … */
  readonly inventories = new Map<string, DraftInventory>()
  /** Everything else. Those that are undefined are gone, inventories and their digests, too; what ends in a slash is an empty folder. */
  readonly files = new Map<string, string | undefined>()
  readonly release: OcflRelease

  constructor(release: OcflRelease, versions = 1, name = (n: number): string => `v${n}`, algorithm = 'sha512') {
    this.release = release
    this.files.set(`0=ocfl_object_${release}`, `ocfl_object_${release}\n`)
    const inventory: DraftInventory = {
      id: 'https://example.org/grids',
      type: `https://ocfl.io/${release}/spec/#inventory`,
      digestAlgorithm: algorithm,
      head: '',
      manifest: {},
      versions: {},
    }
    for (let n = 1; n <= versions; n++) {
      const content = `content ${n}\n`
      const before = inventory.versions[name(n - 1)]?.state ?? {}
      inventory['head'] = name(n)
      inventory.manifest[digest(content, algorithm)] = [`${name(n)}/content/${n}.csv`]
      inventory.versions[name(n)] = {
        created: `2026-01-0${n}T03:04:05Z`,
        message: `Version ${n}`,
        user: { name: 'Ada', address: 'mailto:ada@example.org' },
        state: { ...structuredClone(before), [digest(content, algorithm)]: [`data/${n}.csv`] },
      }
      this.files.set(`${name(n)}/content/${n}.csv`, content)
      this.inventories.set(name(n), structuredClone(inventory))
    }
    this.inventories.set('', inventory)
  }

  /** The inventory in a folder. */
  at(folder: string): DraftInventory {
    const found = this.inventories.get(folder)
    if (!found) throw new Error(`no inventory in ${folder}`)
    return found
  }

  /** That of the object. */
  get current(): DraftInventory {
    return this.at('')
  }

  /** Changes the inventory of the object, and that of its newest version with it. */
  edit(change: (inventory: DraftInventory) => void): void {
    const newest = [...this.inventories.keys()].filter((folder) => folder !== '').at(-1)
    for (const folder of ['', ...(newest === undefined ? [] : [newest])]) change(this.at(folder))
  }

  /** All files, with the inventories and their digests as they are now. */
  written(): Map<string, string> {
    const all = new Map<string, string | undefined>()
    for (const [folder, inventory] of this.inventories) {
      const at = folder === '' ? '' : `${folder}/`
      const text = JSON.stringify(inventory)
      const algorithm = typeof inventory['digestAlgorithm'] === 'string' ? inventory['digestAlgorithm'] : 'sha512'
      all.set(`${at}inventory.json`, text)
      all.set(`${at}inventory.json.${algorithm}`, `${digest(text, algorithm)} inventory.json\n`)
    }
    for (const [path, content] of this.files) all.set(path, content)
    return new Map([...all].flatMap(([path, content]) => (content === undefined ? [] : [[path, content] as const])))
  }
}

/** Files in memory, in the order that they have. */
export function treeOf(files: ReadonlyMap<string, string>): Tree {
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- those of a disk are listed with awaits
    list: async function* () {
      for (const [path, content] of files) {
        if (path.endsWith('/')) yield { path: path.slice(0, -1), size: 0, kind: 'empty' }
        else yield { path, size: Buffer.byteLength(content), kind: 'file' }
      }
    },
    read: (path) => {
      const content = files.get(path)
      return Promise.resolve(content === undefined ? undefined : inMemory(Buffer.from(content)))
    },
  }
}

/** What is found in a tree. */
export async function validated(
  tree: Tree,
  kind: OcflKind,
  readsContent = true,
): Promise<{ readonly findings: readonly OcflFinding[]; readonly codes: readonly string[]; readonly objects: number }> {
  const findings: OcflFinding[] = []
  let objects = 0
  await validateOcfl({
    tree,
    kind,
    readsContent,
    signal: new AbortController().signal,
    onListed: () => undefined,
    onAllListed: () => undefined,
    onRead: () => () => undefined,
    onFinding: (finding) => findings.push(finding),
    onObject: () => {
      objects++
    },
  })
  const codes = [...new Set(findings.map(({ code, level }) => code ?? level))].sort()
  return { findings, codes, objects }
}

/** A storage root of objects, by their place. */
export function rootOf(objects: Readonly<Record<string, string>>, layout?: string): Map<string, string> {
  const files = new Map([['0=ocfl_1.1', 'ocfl_1.1\n']])
  for (const [place, id] of Object.entries(objects)) {
    const draft = new ObjectDraft('1.1', 2)
    for (const inventory of draft.inventories.values()) inventory['id'] = id
    for (const [path, content] of draft.written()) files.set(`${place}/${path}`, content)
  }
  if (layout !== undefined) {
    const found = layoutNamed(layout)
    if (!found) throw new Error(`no layout ${layout}`)
    const { config, description } = found
    files.set('ocfl_layout.json', JSON.stringify({ extension: config.extensionName, description }))
    files.set(`extensions/${config.extensionName}/config.json`, JSON.stringify(config))
  }
  return files
}
