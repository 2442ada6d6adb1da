import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { inMemory } from '../../src/proof/pack/pack-entry.ts'
import type { BagSource } from '../../src/proof/bagit/bag-source.ts'
import { checkBag, type BagFinding } from '../../src/proof/bagit/check-bag.ts'
import { DataferryError } from '../../src/errors.ts'

/** A bag that rules can be broken in: manifests are made of its files unless they are given. */
class BagDraft {
  /** By path; undefined: gone, also a manifest. */
  readonly files = new Map<string, string | Buffer | undefined>([
    ['data/hello.txt', 'hello\n'],
    ['data/folder/more.txt', 'more\n'],
    ['bag-info.txt', 'Source-Organization: An Archive\n'],
  ])
  /** Lines of the manifest of the payload, beyond those of its files. */
  readonly lines: string[] = []
  /** How the manifest of the payload writes a path. */
  write = (path: string): string => path
  algorithms = ['md5']
  encode = (text: string): string | Buffer => text

  constructor(version: string) {
    this.files.set('bagit.txt', `BagIt-Version: ${version}\nTag-File-Character-Encoding: UTF-8\n`)
  }

  whole(): ReadonlyMap<string, Buffer> {
    const all = new Map<string, string | Buffer>()
    for (const [path, content] of this.files) if (content !== undefined) all.set(path, content)
    const sums = (tag: boolean, algorithm: string): string =>
      [...all]
        .filter(
          ([path]) => path.startsWith('data/') !== tag && !path.startsWith('tagmanifest-') && path !== 'fetch.txt',
        )
        .map(([path, content]) => `${sum(content, algorithm)}  ${tag ? path : this.write(path)}\n`)
        .join('')
    for (const tag of [false, true]) {
      for (const algorithm of this.algorithms) {
        const name = `${tag ? 'tag' : ''}manifest-${algorithm}.txt`
        if (this.files.has(name)) continue
        all.set(name, this.encode(sums(tag, algorithm) + (tag ? '' : this.lines.join(''))))
      }
    }
    for (const [path, content] of this.after) all.set(path, content)
    return new Map([...all].map(([path, content]) => [path, Buffer.from(content)]))
  }

  /** What is changed once the manifests are made. */
  readonly after = new Map<string, string>()
}

function sum(content: string | Buffer, algorithm = 'md5'): string {
  return createHash(algorithm).update(content).digest('hex')
}

function sourceOf(files: ReadonlyMap<string, Buffer>): BagSource {
  return {
    serialization: 'folder',
    name: 'bag',
    // eslint-disable-next-line @typescript-eslint/require-await -- those of a disk are listed with awaits
    list: async function* () {
      for (const [path, content] of files) yield { path, size: content.length }
    },
    read: (path) => {
      const content = files.get(path)
      return Promise.resolve(content && inMemory(content))
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

async function judged(draft: BagDraft): Promise<readonly BagFinding[]> {
  const findings: BagFinding[] = []
  const onFinding = (finding: BagFinding): void => void findings.push(finding)
  try {
    await checkBag(sourceOf(draft.whole()), { signal: new AbortController().signal, onFinding })
  } catch (error) {
    if (!(error instanceof DataferryError) || error.code !== 'BAG_INVALID') throw error
    findings.push({ state: 'wrong', message: error.message })
  }
  return findings
}

const line = (path: string): string => `${sum('')}  ${path}\n`
const fetch = (path: string) => (draft: BagDraft) =>
  void draft.files.set('fetch.txt', `https://example.org/a - ${path}\n`)
const names = (path: string) => (draft: BagDraft) => void draft.lines.push(line(path))
const declaration = (text: string) => (draft: BagDraft) => void draft.files.set('bagit.txt', text)

/**
 * The rules of the public conformance suite of BagIt (https://github.com/LibraryOfCongress/bagit-conformance-suite), in our own words: the
 * name of the bag there, how it is made of a good one, and what is to be said of it. Nothing: it is valid.
 */
type Rule = readonly [name: string, make: (draft: BagDraft) => void, said?: RegExp]

const VALID: readonly Rule[] = [
  ['basic-bag', () => undefined],
  ['minimal-bag', (draft) => draft.files.delete('bag-info.txt')],
  ['duplicate-metadata-entries', (draft) => draft.files.set('bag-info.txt', 'Contact-Name: A\nContact-Name: B\n')],
  ['uncommon-metadata-separators', (draft) => draft.files.set('bag-info.txt', 'Contact-Name:A\nContact-Phone :\tB\n')],
  [
    'bag-in-a-bag',
    (draft) => draft.files.set('data/bag/bagit.txt', 'BagIt-Version: 0.96\n').set('data/bag/data/a', 'a'),
  ],
  ['bag-with-space', (draft) => draft.files.set('data/a b  c.txt', 'a')],
  ['bag-with-encoded-names', (draft) => draft.files.set('data/a%20b%2Fc.txt', 'a')],
  [
    'bag-with-escapable-characters',
    (draft) => {
      draft.files.set('data/a\nb\rc.txt', 'a')
      draft.write = (path) => path.replaceAll('\n', '%0A').replaceAll('\r', '%0D')
    },
  ],
]

/** In bags of versions before 1.0, whose tag files may have other encodings. */
const OLD_VALID: readonly Rule[] = [
  [
    'ISO-8859-1-encoded-tag-files',
    (draft) => {
      draft.files.set('bagit.txt', 'BagIt-Version: 0.97\nTag-File-Character-Encoding: ISO-8859-1\n')
      draft.files.set('bag-info.txt', Buffer.from('Contact-Name: Núñez\n', 'latin1'))
      draft.files.set('data/Núñez.txt', 'a')
      draft.encode = (text) => Buffer.from(text, 'latin1')
    },
  ],
  [
    'UTF-16-encoded-tag-files',
    (draft) => {
      draft.files.set('bagit.txt', 'BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-16\n')
      draft.files.set('bag-info.txt', Buffer.from('\ufeffContact-Name: Núñez\n', 'utf16le').swap16())
      draft.encode = (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()
    },
  ],
]

const ODD: readonly Rule[] = [
  ['bag-with-leading-dot-slash-in-manifest', (draft) => (draft.write = (path) => `./${path}`), /begin with \.\//],
  ['relative-path', (draft) => (draft.write = (path) => `./${path}`), /begin with \.\//],
  ['made-with-md5sum-tools', (draft) => (draft.write = (path) => path.replace(/^/, '*')), /asterisks of md5sum/],
  ['special-system-files .DS_Store', (draft) => draft.files.set('data/.DS_Store', ''), /Systems make such files/],
  [
    'special-system-files Thumbs.db',
    (draft) => draft.files.set('data/folder/Thumbs.db', ''),
    /Systems make such files/,
  ],
  ['duplicate-file-with-different-case', (draft) => draft.files.set('data/HELLO.txt', 'x'), /only in case or accents/],
]

const OLD_ODD: readonly Rule[] = [
  [
    'same-filename-listed-twice-with-the-same-hash',
    (draft) => draft.lines.push(`${sum('hello\n')}  data/hello.txt\n`),
    /more than once/,
  ],
  [
    'same-filename-listed-twice-with-different-normalization',
    (draft) => {
      draft.files.set('data/N\u00fa', 'x')
      draft.lines.push(`${sum('x')}  data/Nu\u0301\n`)
    },
    /in another form/,
  ],
]

const INVALID: readonly Rule[] = [
  ['baginfo-missing-encoding', declaration('BagIt-Version: 0.97\n'), /two lines/],
  ['bom-in-bagit.txt', declaration('\ufeffBagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n'), /two lines/],
  ['invalid-version-number', declaration('BagIt-Version: .97\nTag-File-Character-Encoding: UTF-8\n'), /two lines/],
  ['missing-bagit.txt', (draft) => draft.files.set('bagit.txt', undefined), /bagit\.txt is missing/],
  ['corrupt-data-file', (draft) => draft.after.set('data/hello.txt', 'hallo\n'), /^Its md5 is/],
  ['corrupt-tag-file', (draft) => draft.after.set('bag-info.txt', 'X: y\n'), /^Its md5 is .* tagmanifest-md5/],
  ['extra-file-in-bag', (draft) => draft.after.set('data/extra', ''), /not in manifest-md5/],
  [
    'missing-baginfo',
    (draft) => {
      draft.files.set('bag-info.txt', undefined)
      draft.files.set('tagmanifest-md5.txt', line('bag-info.txt'))
    },
    /It is missing/,
  ],
  ['out-of-scope-file-paths-using-dot-notation', names('../../../README.md'), /leaves the bag/],
  ['out-of-scope-file-paths-using-dot-notation-for-fetch', fetch('../../../README.md'), /leaves the bag/],
  ['same-filename-listed-twice-with-different-hashes', names('data/hello.txt'), /more than once/],
  ['out-of-scope-file-paths-using-absolute-path', names('/tmp/foo'), /absolute/],
  ['out-of-scope-file-paths-using-absolute-path-for-fetch', fetch('/tmp/foo'), /absolute/],
  ['out-of-scope-file-paths-using-shortcut', names('~/foo'), /folder of a user/],
  ['out-of-scope-file-paths-using-shortcut-for-fetch', fetch('~/foo'), /folder of a user/],
  ['out-of-scope-file-paths-using-shortcut-username', names('~root/foo'), /folder of a user/],
  ['out-of-scope-file-paths-using-shortcut-username-for-fetch', fetch('~root/foo'), /folder of a user/],
  ['(Windows) out-of-scope-file-paths-using-absolute-path', names('C:\\Windows\\a.exe'), /absolute on Windows/],
  ['(Windows) …-absolute-path-for-fetch', fetch('C:\\Windows\\a.exe'), /absolute on Windows/],
  ['(Windows) out-of-scope-file-paths-using-shortcut', names('%HomeDrive%\\a.exe'), /not below data/],
  ['(Windows) …-shortcut-for-fetch', fetch('%HomeDrive%\\a.exe'), /not below data/],
  ['(Windows) out-of-scope-file-paths-using-unc', names('\\\\?\\UNC\\server\\a.exe'), /absolute on Windows/],
  ['(Windows) …-unc-for-fetch', fetch('\\\\?\\UNC\\server\\a.exe'), /absolute on Windows/],
]

const NEW_INVALID: readonly Rule[] = [
  [
    'bagit-with-invalid-whitespace',
    declaration('BagIt-Version: 1.0 \nTag-File-Character-Encoding: UTF-8\n'),
    /blanks where none may be/,
  ],
  [
    'notAllManifestsListAllFiles',
    (draft) => {
      draft.algorithms = ['md5', 'sha512']
      draft.files.set('manifest-sha512.txt', `${sum('hello\n', 'sha512')}  data/hello.txt\n`)
    },
    /not in manifest-sha512/,
  ],
  ['same-filename-listed-twice-with-the-same-hash', names('data/hello.txt'), /more than once/],
]

const versions = ['0.93', '0.94', '0.95', '0.96', '0.97', '1.0'] as const

function of(version: string, rules: readonly Rule[]): (readonly [string, Rule])[] {
  return rules.map((rule) => [rule[0], rule] as const)
}

describe.each(versions)('a bag of version %s', (version) => {
  const isOld = version !== '1.0'
  const made = async ([, make]: Rule): Promise<readonly BagFinding[]> => {
    const draft = new BagDraft(version)
    make(draft)
    return judged(draft)
  }

  it.each(of(version, [...VALID, ...(isOld ? OLD_VALID : [])]))('as of %s is valid', async (_, rule) => {
    expect(await made(rule)).toEqual([])
  })

  it.each(of(version, [...ODD, ...(isOld ? OLD_ODD : [])]))(
    'as of %s is valid, and the oddity named',
    async (_, rule) => {
      const findings = await made(rule)
      expect(findings.filter(({ state }) => state !== 'odd')).toEqual([])
      expect(findings.map(({ message }) => message).join('\n')).toMatch(rule[2] ?? /^$/)
    },
  )

  it.each(of(version, [...INVALID, ...(isOld ? [] : NEW_INVALID)]))('as of %s is not valid', async (_, rule) => {
    const wrong = (await made(rule)).filter(({ state }) => state === 'wrong')
    expect(wrong.map(({ message }) => message).join('\n')).toMatch(rule[2] ?? /^$/)
  })

  it('as of holey-bag is not complete, and not wrong', async () => {
    const findings = await made([
      'holey-bag',
      (draft) => {
        draft.lines.push(`${sum('far')}  data/far.txt\n`)
        draft.files.set('fetch.txt', 'https://example.org/far 3 data/far.txt\n')
      },
    ])
    expect(findings.map(({ state }) => state)).toEqual(['open'])
  })
})
