import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonError } from '../../src/json/json-error.ts'
import { JsonParts, MAX_ELEMENT, type JsonPart, type JsonShape } from '../../src/json/json-parts.ts'
import { MAX_DEPTH, MAX_STRING } from '../../src/json/json-scanner.ts'
import { readJson, type ReadJsonOptions } from '../../src/json/read-json.ts'

const LISTING: JsonShape = { members: { data: { each: {} } } }
const VERSIONS: JsonShape = {
  members: { data: { each: { members: { files: { each: {} }, metadataBlocks: { skip: true } } } } },
}

async function* inPieces(content: string | Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  // The same memory again and again, as the pool of an HTTP body does it.
  const shared = Buffer.alloc(size)
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(shared, 0, at, at + size)
    yield await Promise.resolve(shared.subarray(0, length))
  }
}

async function partsOf(
  content: string | Uint8Array,
  shape: JsonShape,
  { size = 64 * 1024, ...options }: ReadJsonOptions & { size?: number } = {},
): Promise<JsonPart[]> {
  const found: JsonPart[] = []
  for await (const parts of readJson(inPieces(content, size), shape, options)) found.push(...parts)
  return found
}

function values(parts: readonly JsonPart[], kind: JsonPart['kind'], path: string): unknown[] {
  return parts.filter((part) => part.kind === kind && part.path === path).map(({ value }) => value)
}

describe('a JSON text that comes in pieces', () => {
  it('gives the elements of a list one by one, and what is around them, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 5 }),
        fc.jsonValue(),
        fc.constantFrom(0, 1, 2),
        fc.integer({ min: 1, max: 20 }),
        async (list, other, indent, size) => {
          const text = JSON.stringify({ other, data: list, more: [other, { data: [1] }] }, undefined, indent)
          const parts = await partsOf(text, LISTING, { size })
          const [data, others] = JSON.parse(JSON.stringify([list, other])) as [unknown, unknown]
          expect(values(parts, 'whole', 'data[]')).toEqual(data)
          expect(values(parts, 'list', 'data')).toEqual([{ other: others, data: [] }])
          expect(values(parts, 'rest', '')).toEqual([{ other: others, data: [], more: [others, { data: [1] }] }])
        },
      ),
      { numRuns: 300 },
    )
  })

  it('gives lists within elements, and leaves out what is to be skipped', async () => {
    const version = (number: number): object => ({ versionNumber: number, metadataBlocks: { deep: [{ files: [1] }] } })
    const text = JSON.stringify({
      status: 'OK',
      data: [{ ...version(2), files: [{ id: 7 }, { id: 8 }] }, { ...version(1), files: [] }, { id: 3 }],
    })
    for (const size of [1, 3, 1000]) {
      expect((await partsOf(text, VERSIONS, { size })).map(({ kind, path, value }) => [kind, path, value])).toEqual([
        ['list', 'data', { status: 'OK', data: [] }],
        ['list', 'data[].files', { versionNumber: 2, metadataBlocks: null, files: [] }],
        ['whole', 'data[].files[]', { id: 7 }],
        ['whole', 'data[].files[]', { id: 8 }],
        ['rest', 'data[]', { versionNumber: 2, metadataBlocks: null, files: [] }],
        ['list', 'data[].files', { versionNumber: 1, metadataBlocks: null, files: [] }],
        ['rest', 'data[]', { versionNumber: 1, metadataBlocks: null, files: [] }],
        ['whole', 'data[]', { id: 3 }],
        ['rest', '', { status: 'OK', data: [] }],
      ])
    }
  })

  it('tells where each part begins', async () => {
    const parts = await partsOf('{"data":[\n1,\n\n{"a":\n2}, 3]\n}', LISTING)
    expect(parts.map(({ kind, line }) => [kind, line])).toEqual([
      ['list', 1],
      ['whole', 2],
      ['whole', 4],
      ['whole', 5],
      ['rest', 1],
    ])
  })

  it('is one part when it has no list', async () => {
    for (const text of ['42', '"a"', 'null', '{"data":{"id":1}}', '[1,{"data":[2]}]']) {
      expect(await partsOf(text, LISTING)).toEqual([
        { kind: 'whole', path: '', line: 1, value: JSON.parse(text) as unknown },
      ])
    }
  })

  it('may be a list itself', async () => {
    expect((await partsOf('[1,{"a":[2]}]', { each: {} })).map(({ kind, path, value }) => [kind, path, value])).toEqual([
      ['list', '', []],
      ['whole', '[]', 1],
      ['whole', '[]', { a: [2] }],
      ['rest', '', []],
    ])
  })

  it('may be followed by others where that is allowed', async () => {
    const many = '{"a":1}\n{"a":2} 3\n\n"b"{"data":[4]}'
    expect(values(await partsOf(many, LISTING, { many: true }), 'whole', '')).toEqual([{ a: 1 }, { a: 2 }, 3, 'b'])
    expect(values(await partsOf(many, LISTING, { many: true }), 'whole', 'data[]')).toEqual([4])
    expect(await partsOf(' \n', LISTING, { many: true })).toEqual([])
    await expect(partsOf(many, LISTING)).rejects.toThrow('is not valid here')
  })

  it('reads what stands for no number as a text where that is wanted, however it is cut', async () => {
    const text = '{"data":[{"a":NaN,"b":[-Infinity,1],"c":"NaN"},Infinity],"more":NaN}'
    for (const size of [1, 2, 3, 7, 1000]) {
      const parts = await partsOf(text, LISTING, { size, nonNumbers: true })
      expect(values(parts, 'whole', 'data[]')).toEqual([{ a: 'NaN', b: ['-Infinity', 1], c: 'NaN' }, 'Infinity'])
      expect(values(parts, 'rest', '')).toEqual([{ data: [], more: 'NaN' }])
    }
    for (const word of ['nan', 'Nan', '+Infinity', '--Infinity', 'NaNNaN', 'undefined']) {
      await expect(partsOf(`[${word}]`, LISTING, { nonNumbers: true })).rejects.toThrow('is not valid here')
    }
    await expect(partsOf(text, LISTING)).rejects.toThrow('is not valid here')
  })

  it('is accepted exactly when JSON.parse accepts it', () => {
    const token = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"a"', '"', '\\', '\\u00e9', '\\ud800', '\\x', '\u0001'],
      ...['1', 'true', ' ', '-0', '01', '1e5', '.5', 'NaN', 'Infinity', '-', '\n', "'", '\ufeff', '\u00a0'],
    )
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (tokens, size) => {
        const text = tokens.join('')
        const read = (): unknown => {
          const parts = new JsonParts({})
          const found: JsonPart[] = []
          for (let at = 0; at < text.length; at += size) found.push(...parts.push(text.slice(at, at + size)))
          found.push(...parts.finish())
          return found[0]?.value
        }
        let parsed: { readonly value: unknown } | undefined
        try {
          parsed = { value: JSON.parse(text) }
        } catch {
          parsed = undefined
        }
        if (parsed) expect(read()).toEqual(parsed.value)
        else expect(read).toThrow(JsonError)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('what JSON leaves open', () => {
  it('equal names: the last one counts, but a list must not come twice', async () => {
    expect(await partsOf('{"a":1,"a":2}', LISTING)).toMatchObject([{ value: { a: 2 } }])
    await expect(partsOf('{"data":[1],\n"d\\u0061ta":[2]}', LISTING)).rejects.toMatchObject({
      message: 'the JSON has "data" twice in one object',
      line: 2,
    })
  })

  it('`__proto__` and `constructor` are names like others', async () => {
    const [part] = await partsOf('{"__proto__":{"data":[1]},"constructor":{"files":[2]}}', VERSIONS)
    expect(part?.kind).toBe('whole')
    expect(Object.keys(part?.value ?? {})).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(part?.value)).toBe(Object.prototype)
  })

  it('a lone surrogate may be escaped, but not stand in the bytes', async () => {
    expect(await partsOf('"\\ud800"', {})).toMatchObject([{ value: '\ud800' }])
    await expect(partsOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), {})).rejects.toThrow('is not UTF-8')
  })

  it('a byte order mark is passed over at the beginning and nowhere else', async () => {
    expect(await partsOf('\ufeff[1]', {}, { size: 1 })).toMatchObject([{ value: [1] }])
    await expect(partsOf('[\ufeff1]', {})).rejects.toThrow('is not valid here')
  })

  it('a number beyond 2^53 is what JavaScript makes of it; NaN is no JSON', async () => {
    expect(await partsOf('[9007199254740993,1e400]', {})).toMatchObject([{ value: [9007199254740992, Infinity] }])
    await expect(partsOf('[NaN]', {})).rejects.toThrow('is not valid here')
  })

  it('bytes that are cut within a character are no JSON', async () => {
    await expect(partsOf(Buffer.from('"é"').subarray(0, 2), {})).rejects.toThrow('is not UTF-8')
  })
})

describe('bounds', () => {
  async function* endless(begin: string, piece: string): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from(begin))
    for (;;) yield Buffer.from(piece)
  }
  async function readAll(chunks: AsyncIterable<Uint8Array>, shape: JsonShape, maxBytes?: number): Promise<void> {
    let count = 0
    for await (const parts of readJson(chunks, shape, maxBytes === undefined ? {} : { maxBytes })) count += parts.length
    expect(count).toBe(0)
  }

  it.each([
    ['a text', '{"data":["', 'x'.repeat(64 * 1024), 'a text of more than 1 Mi characters'],
    ['a name', '{"data":[{"', 'x'.repeat(64 * 1024), 'a text of more than 1 Mi characters'],
    ['a name beside the lists', '{"', 'x'.repeat(64 * 1024), 'a text of more than 1 Mi characters'],
    ['a text that is left out', '{"data":[{"metadataBlocks":"', '\\n'.repeat(1000), 'a text of more than 1 Mi'],
    ['an element', '{"data":[[', '1,2,3,4,5,6,7,8,9,'.repeat(1000), 'of more than 4 Mi characters'],
    ['what is around the lists', '{"a":[', '1,2,3,4,5,6,7,8,9,'.repeat(1000), 'of more than 4 Mi characters'],
    ['a number', '{"a":1', '0'.repeat(1000), 'a number of more than 1,024 characters'],
    ['a nest', '{"data":[', '['.repeat(1000), 'nested more than 100 deep'],
    ['a nest that is left out', '{"data":[{"metadataBlocks":', '[{"a":', 'nested more than 100 deep'],
  ])('%s without end is refused', async (_, begin, piece, why) => {
    await expect(readAll(endless(begin, piece), VERSIONS)).rejects.toThrow(why)
  })

  it('so are blanks without end, where the text as a whole is bounded', async () => {
    await expect(readAll(endless('{', '\n'.repeat(64 * 1024)), {}, 1_000_000)).rejects.toThrow(
      'is longer than 1000000 bytes',
    )
  })

  it('what is just within them is read', async () => {
    const text = 'x'.repeat(MAX_STRING)
    expect(await partsOf(JSON.stringify({ data: [text] }), LISTING)).toContainEqual(
      expect.objectContaining({ value: text }),
    )
    const nest = '['.repeat(MAX_DEPTH) + ']'.repeat(MAX_DEPTH)
    expect(await partsOf(nest, {})).toHaveLength(1)
    const element = [1, 2, 3].map(() => 'x'.repeat(MAX_ELEMENT / 4))
    expect(await partsOf(JSON.stringify({ data: [element, element] }), LISTING)).toHaveLength(4)
  })

  it('a list has none of its own: its elements are given away as they come', async () => {
    let count = 0
    const chunks = endless('{"data":[0', ',1'.repeat(32 * 1024))
    for await (const parts of readJson(chunks, LISTING)) {
      count += parts.length
      if (count > 3_000_000) break
    }
    expect(count).toBeGreaterThan(3_000_000)
  })
})
