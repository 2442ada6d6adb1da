import type { OcflRelease } from '../../../src/proof/ocfl/validate/codes.ts'
import { digest, type ObjectDraft, type DraftInventory, type DraftVersion } from './object-draft.ts'

/**
 * The rules of the public fixtures of OCFL (https://github.com/OCFL/fixtures), in our own words: each line has the name of the fixture, how
 * it is made of a good object, and where it is only in one version of OCFL that one. The codes in the name are those expected.
 */
export type FixtureRule = readonly [
  name: string,
  make: (draft: ObjectDraft) => void,
  options?: {
    readonly versions?: number
    readonly only?: OcflRelease
    readonly name?: (n: number) => string
    readonly algorithm?: string
  },
]

const CONTENT = 'content 1\n'
const SUM = digest(CONTENT)
const OTHER = digest('something else\n')
const two = { versions: 2 }
const three = { versions: 3 }
const padded = (digits: number) => (n: number) => `v${String(n).padStart(digits, '0')}`

const edit =
  (change: (inventory: DraftInventory) => void) =>
  (draft: ObjectDraft): void =>
    draft.edit(change)
const key = (name: string, value: unknown) => edit((inventory) => void (inventory[name] = value))
const without = (name: string) => edit((inventory) => void Reflect.deleteProperty(inventory, name))
const file =
  (path: string, content?: string) =>
  (draft: ObjectDraft): void =>
    void draft.files.set(path, content)
const version = (change: (version: DraftVersion) => void) =>
  edit((inventory) => Object.values(inventory.versions).forEach(change))
const state = (paths: Readonly<Record<string, string[]>>) => version((one) => (one.state = { ...paths }))
/** Only the inventory of one folder. */
const inventoryAt =
  (folder: string, change: (inventory: DraftInventory) => void) =>
  (draft: ObjectDraft): void =>
    change(draft.at(folder))
const all =
  (...changes: readonly ((draft: ObjectDraft) => void)[]) =>
  (draft: ObjectDraft): void =>
    changes.forEach((change) => change(draft))

/** Adds what an object of one file needs for another one with this content path. */
const another = (path: string) =>
  edit((inventory) => {
    inventory.manifest[digest('more\n')] = [path]
    for (const one of Object.values(inventory.versions)) one.state[digest('more\n')] = ['more.csv']
  })

/** The first version addressed by another algorithm than those after it. */
const firstBySha256 = (draft: ObjectDraft): void => {
  const inventory = draft.at('v1')
  const sum = digest(CONTENT, 'sha256')
  inventory['digestAlgorithm'] = 'sha256'
  inventory.manifest = { [sum]: ['v1/content/1.csv'] }
  versionOf(inventory, 'v1').state = { [sum]: ['data/1.csv'] }
}

/** A second version of the same content as the first. */
const emptied = (draft: ObjectDraft): void => {
  draft.files.set('v2/content/2.csv', undefined)
  draft.edit((inventory) => {
    inventory.manifest = { [SUM]: ['v1/content/1.csv'] }
    versionOf(inventory, 'v2').state = { [SUM]: ['again.csv'] }
  })
}

export const GOOD: readonly FixtureRule[] = [
  ['diff_files_same_md5', key('fixity', { md5: { [digest(CONTENT, 'md5')]: ['v1/content/1.csv'] } })],
  [
    'minimal_content_dir_called_stuff',
    all(
      key('contentDirectory', 'stuff'),
      edit((inventory) => (inventory.manifest = { [SUM]: ['v1/stuff/1.csv'] })),
      file('v1/content/1.csv'),
      file('v1/stuff/1.csv', CONTENT),
    ),
  ],
  ['minimal_logs_directory_one_log_file', file('logs/what-was-done.txt', 'nothing')],
  [
    'minimal_no_content',
    all(
      file('v1/content/1.csv'),
      edit((inventory) => (inventory.manifest = {})),
      state({}),
    ),
  ],
  ['minimal_one_version_one_file', () => undefined],
  [
    'minimal_uppercase_digests',
    all(
      edit((inventory) => (inventory.manifest = { [SUM.toUpperCase()]: ['v1/content/1.csv'] })),
      state({ [SUM.toUpperCase()]: ['data/1.csv'] }),
    ),
  ],
  [
    'ocfl_object_all_fixity_digests',
    key('fixity', {
      md5: { [digest(CONTENT, 'md5')]: ['v1/content/1.csv'] },
      sha1: { [digest(CONTENT, 'sha1')]: ['v1/content/1.csv'] },
      sha256: { [digest(CONTENT, 'sha256')]: ['v1/content/1.csv'] },
      sha512: { [SUM]: ['v1/content/1.csv'] },
      'blake2b-512': { [digest(CONTENT, 'blake2b512')]: ['v1/content/1.csv'] },
      'sha512/256': { [digest(CONTENT, 'sha512-256')]: ['v1/content/1.csv'] },
      size: { '10': ['v1/content/1.csv'] },
    }),
  ],
  [
    'spec-ex-full',
    edit((inventory) => {
      // A file that comes back, one that is there under two names, and one that is gone.
      versionOf(inventory, 'v3').state = { [SUM]: ['back.csv', 'twice.csv'], [digest('content 3\n')]: ['3.csv'] }
    }),
    three,
  ],
  ['spec-ex-minimal', () => undefined, { only: '1.1' }],
  [
    'updates_all_actions',
    edit(
      (inventory) =>
        (versionOf(inventory, 'v3').state = { [SUM]: ['renamed.csv'], [digest('content 3\n')]: ['3.csv'] }),
    ),
    three,
  ],
  ['updates_three_versions_one_file', () => undefined, three],
]

export const WARN: readonly FixtureRule[] = [
  ['minimal_mixed_digests W004', firstBySha256, two],
  [
    'W001_W004_W005_zero_padded_versions',
    (draft) => {
      for (const inventory of draft.inventories.values()) inventory['id'] = 'grids'
    },
    { versions: 4, name: padded(4), algorithm: 'sha256' },
  ],
  ['W001_zero_padded_versions', () => undefined, { versions: 3, name: padded(3) }],
  ['W002_extra_dir_in_version_dir', file('v1/mine/a.txt', '')],
  ['W004_uses_sha256', () => undefined, { algorithm: 'sha256' }],
  ['W004_versions_diff_digests', firstBySha256, two],
  ['W005_id_not_uri', key('id', 'grids')],
  [
    'W007_no_message_or_user',
    version((one) => {
      delete one['message']
      delete one['user']
    }),
  ],
  ['W007_spec-ex-diff-paths', version((one) => delete one['message'])],
  ['W008_user_no_address', version((one) => (one['user'] = { name: 'Ada' }))],
  ['W009_user_address_not_uri', version((one) => (one['user'] = { name: 'Ada', address: '1 Main Street' }))],
  ['W009_spec-ex-minimal', version((one) => (one['user'] = { name: 'Ada', address: 'ada' })), { only: '1.0' }],
  ['W010_no_version_inventory', (draft) => void draft.inventories.delete('v1')],
  [
    'W011_version_inv_diff_metadata',
    inventoryAt('v1', (inventory) => (versionOf(inventory, 'v1')['message'] = 'As it was')),
    two,
  ],
  ['W013_unregistered_extension', file('extensions/mine/a.txt', '')],
  ['W003 an empty content folder', all(emptied, file('v2/content/', '')), two],
]

export const BAD: readonly FixtureRule[] = [
  ['E001_extra_dir_in_root', file('mine/a.txt', '')],
  ['E001_extra_file_in_root', file('mine.txt', '')],
  ['E001_invalid_version_format', () => undefined, { name: (n) => String(n) }],
  ['E001_v2_file_in_root', file('v2', '')],
  [
    'E003_E063_empty',
    (draft) => {
      draft.inventories.clear()
      for (const path of draft.files.keys()) draft.files.set(path, undefined)
      draft.files.set('.keep', '')
    },
  ],
  ['E003_no_decl', (draft) => void draft.files.set(`0=ocfl_object_${draft.release}`, undefined)],
  ['E007_bad_declaration_contents', (draft) => void draft.files.set(`0=ocfl_object_${draft.release}`, 'ocfl')],
  [
    'E008_E036_no_versions_no_head',
    all(
      (draft) => void draft.inventories.delete('v1'),
      (draft) => {
        const { current } = draft
        delete current['head']
        current.versions = {}
        current.manifest = {}
      },
      file('v1/content/1.csv'),
    ),
  ],
  ['E010_missing_versions', (draft) => remove(draft, 'v2', 'v3'), { versions: 4 }],
  [
    'E010_skipped_versions',
    (draft) => {
      for (const inventory of draft.inventories.values()) delete inventory.versions['v2']
      remove(draft, 'v2')
    },
    three,
  ],
  ['E011_E013_invalid_padded_head_version', () => undefined, { versions: 2, name: (n) => (n === 1 ? 'v01' : 'v2') }],
  [
    'E015_content_not_in_content_dir',
    all(
      file('v1/content/1.csv'),
      file('v1/1.csv', CONTENT),
      edit((inventory) => (inventory.manifest = { [SUM]: ['v1/1.csv'] })),
    ),
  ],
  ['E017_invalid_content_dir', key('contentDirectory', 'content/deep')],
  [
    'E019_inconsistent_content_dir',
    all(
      inventoryAt('v1', (inventory) => (inventory['contentDirectory'] = 'other')),
      key('contentDirectory', 'content'),
    ),
    two,
  ],
  ['E023_extra_file', file('v1/content/more.csv', '')],
  [
    'E023_old_manifest_missing_entries',
    inventoryAt('v2', (inventory) => Reflect.deleteProperty(inventory.manifest, digest('content 2\n'))),
    three,
  ],
  ['E025_wrong_digest_algorithm', () => undefined, { algorithm: 'md5' }],
  ['E036_no_head', without('head')],
  ['E036_no_id', without('id')],
  ['E037_inconsistent_id', inventoryAt('v1', (inventory) => (inventory['id'] = 'https://example.org/other')), two],
  ['E040_head_not_most_recent', inventoryAt('', (inventory) => (inventory['head'] = 'v1')), two],
  ['E040_wrong_head_doesnt_exist', key('head', 'v2')],
  ['E040_wrong_head_format', key('head', 1)],
  [
    'E040_wrong_version_in_version_dir',
    (draft) => void draft.inventories.set('v2', structuredClone(draft.current)),
    three,
  ],
  ['E041_no_manifest', without('manifest')],
  ['E046_root_not_most_recent', (draft) => void draft.inventories.set('', structuredClone(draft.at('v1'))), two],
  [
    'E049_E050_E054_bad_version_block_values',
    version((one) => Object.assign(one, { created: {}, state: 'none', message: [], user: 'Ada' })),
  ],
  ['E049_created_no_timezone', version((one) => (one['created'] = '2026-01-02T03:04:05'))],
  ['E049_created_not_to_seconds', version((one) => (one['created'] = '2026-01-02T03:04Z'))],
  ['E050_manifest_digest_wrong_case', state({ [SUM.toUpperCase()]: ['data/1.csv'] })],
  ['E050_state_digest_not_in_manifest', version((one) => (one.state[OTHER] = ['none.csv'])), { only: '1.1' }],
  ['E053_E052_invalid_logical_paths', state({ [SUM]: ['/a.csv', '../../b.csv', 'c//d.csv'] })],
  ['E058_no_sidecar', file('inventory.json.sha512')],
  [
    'E060_E064_root_inventory_digest_mismatch',
    all(
      inventoryAt('', (inventory) => (versionOf(inventory, 'v1')['message'] = 'Another')),
      file('inventory.json.sha512', `${OTHER} inventory.json\n`),
    ),
  ],
  ['E060_version_inventory_digest_mismatch', file('v1/inventory.json.sha512', `${OTHER} inventory.json\n`), two],
  ['E061_invalid_sidecar', file('inventory.json.sha512', `${OTHER}\n`)],
  ['E063_no_inv', (draft) => void draft.inventories.delete('')],
  [
    'E064_different_root_and_latest_inventories',
    inventoryAt('v1', (inventory) => (versionOf(inventory, 'v1')['message'] = 'Another')),
  ],
  [
    'E066_E092_old_manifest_digest_incorrect',
    inventoryAt('v1', (inventory) => {
      inventory.manifest = { [OTHER]: ['v1/content/1.csv'] }
      versionOf(inventory, 'v1').state = { [OTHER]: ['data/1.csv'] }
    }),
    two,
  ],
  [
    'E066_algorithm_change_state_mismatch',
    all(firstBySha256, (draft) => {
      versionOf(draft.at('v1'), 'v1').state = { [digest(CONTENT, 'sha256')]: ['other.csv'] }
    }),
    two,
  ],
  [
    'E066_inconsistent_version_state',
    inventoryAt('v1', (inventory) => (versionOf(inventory, 'v1').state = { [SUM]: ['other.csv'] })),
    two,
  ],
  ['E067_file_in_extensions_dir', file('extensions/mine.txt', '')],
  [
    'E092_E093_content_path_does_not_exist',
    all(file('v1/content/1.csv'), key('fixity', { md5: { [digest(CONTENT, 'md5')]: ['v1/content/1.csv'] } })),
  ],
  [
    'E092_algorithm_change_incorrect_digest',
    all(firstBySha256, (draft) => {
      const other = digest('other', 'sha256')
      draft.at('v1').manifest = { [other]: ['v1/content/1.csv'] }
      versionOf(draft.at('v1'), 'v1').state = { [other]: ['data/1.csv'] }
    }),
    two,
  ],
  ['E092_content_file_digest_mismatch', file('v1/content/1.csv', 'content X\n')],
  ['E093_fixity_digest_mismatch', key('fixity', { md5: { [digest('', 'md5')]: ['v1/content/1.csv'] } })],
  ['E095_conflicting_logical_paths', state({ [SUM]: ['a', 'a/b.csv'] })],
  ['E095_non_unique_logical_paths', state({ [SUM]: ['a', 'a'] })],
  ['E096_manifest_duplicate_digests', edit((one) => (one.manifest[SUM.toUpperCase()] = ['v1/content/1.csv']))],
  [
    'E097_fixity_duplicate_digests',
    key('fixity', {
      md5: { [digest(CONTENT, 'md5')]: ['v1/content/1.csv'], [digest(CONTENT, 'md5').toUpperCase()]: [] },
    }),
  ],
  [
    'E100_E099_fixity_invalid_content_paths',
    key('fixity', { md5: { [digest(CONTENT, 'md5')]: ['/v1/content/1.csv', 'v1/../v1/content/1.csv'] } }),
  ],
  ['E100_E099_manifest_invalid_content_paths', another('/v1/content/../more.csv')],
  ['E101_non_unique_content_paths', another('v1/content/1.csv')],
  [
    'E103_older_spec_v2',
    inventoryAt('v2', (inventory) => (inventory['type'] = 'https://ocfl.io/1.0/spec/#inventory')),
    { ...three, only: '1.1' },
  ],
  [
    'E107_file_in_manifest_not_used',
    all(
      edit((inventory) => (inventory.manifest[digest('more\n')] = ['v1/content/more.csv'])),
      file('v1/content/more.csv', 'more\n'),
    ),
    { only: '1.1' },
  ],
  // Rules of the specification for which there is no fixture.
  [
    'E005',
    all(
      (draft) => void draft.files.set(`0=ocfl_object_${draft.release}`, undefined),
      file('1=ocfl_object_1.1', 'ocfl_object_1.1\n'),
    ),
  ],
  [
    'E006',
    all(
      (draft) => void draft.files.set(`0=ocfl_object_${draft.release}`, undefined),
      file('0=ocfl_object_9.0', 'ocfl_object_9.0\n'),
    ),
  ],
  ['E009', () => undefined, { name: (n) => `v${n + 1}` }],
  ['E012', () => undefined, { versions: 2, name: (n) => (n === 1 ? 'v1' : 'v02') }],
  ['E018', key('contentDirectory', '..')],
  ['E020', inventoryAt('v2', (inventory) => (inventory['contentDirectory'] = 'other')), three],
  ['E024', file('v1/content/empty/', '')],
  ['E033', file('inventory.json', '[]')],
  ['E038', key('type', 'https://ocfl.io/9.0/spec/#inventory')],
  ['E039', edit((inventory) => (inventory.manifest['abc'] = ['v1/content/1.csv']))],
  ['E042', another('v9/content/more.csv')],
  ['E043', without('versions')],
  ['E044', key('versions', [])],
  ['E047', edit((inventory) => Object.assign(inventory.versions, { v1: 'first' }))],
  ['E048', version((one) => delete one['created'])],
  ['E051', state({ [SUM]: 'data/1.csv' as unknown as string[] })],
  ['E056', key('fixity', { crc: {} })],
  ['E057', key('fixity', { md5: [] })],
  ['E059', all(file('inventory.json.sha512'), file('inventory.json.sha256', `${OTHER} inventory.json\n`))],
  ['E094', version((one) => (one['message'] = 7))],
  ['E102', key('mine', 1)],
  ['E106', key('manifest', []), { only: '1.1' }],
  ['E111', key('fixity', []), { only: '1.1' }],
]

function versionOf({ versions }: DraftInventory, name: string): DraftVersion {
  const found = versions[name]
  if (!found) throw new Error(`no version ${name}`)
  return found
}

function remove(draft: ObjectDraft, ...folders: readonly string[]): void {
  for (const folder of folders) {
    draft.inventories.delete(folder)
    for (const path of draft.files.keys()) if (path.startsWith(`${folder}/`)) draft.files.set(path, undefined)
  }
}
