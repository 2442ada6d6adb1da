import fc from 'fast-check'
import { expect, it } from 'vitest'
import { csvRow, WANTED_HEADER, wantedRow } from '../../src/batch/wanted-rows.ts'
import { readManifest } from '../../src/manifest/read-manifest.ts'
import { inertCell, plainCell } from '../../src/model/own-tables.ts'
import { itemAt, SERVER } from '../batch/fixtures.ts'

const FORMULA = /^[=+\-@\t\r]/

it('no cell begins like a formula, and every one reads back as it was', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^'{0,3}[=+@\t\r-].{0,5}$/))
  fc.assert(
    fc.property(text, (cell) => {
      expect(inertCell(cell)).not.toMatch(FORMULA)
      expect(plainCell(inertCell(cell))).toBe(cell)
    }),
  )
})

it('a failure is asked for again at its own path, and nothing is said about the columns of the table', async () => {
  const paths = ['=HYPERLINK(1).csv', '-1+1.txt', '@a', "'=b", "'plain'", 'c.txt']
  const rows = paths.map((path) => wantedRow({ ...itemAt(path), n: 0 }, 'SOURCE_DENIED', '=cmd|\x1b[2J\u202e'))
  const table = Buffer.concat([WANTED_HEADER, ...rows])
  for (const cell of table.toString().split(/[,\r\n]+/)) expect(cell).not.toMatch(FORMULA)
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  expect(table.toString()).not.toMatch(/[\u001b\u202e]/)
  const notices: string[] = []
  const read = []
  const source = (async function* () {
    yield await Promise.resolve(table)
  })()
  const options = { name: 'failures.csv', servers: [SERVER], notice: (text: string) => notices.push(text) }
  for await (const line of readManifest(source, options)) read.push('entry' in line ? line.entry.path : line)
  expect(read).toEqual(paths)
  expect(notices).toEqual([])
})

it("in anybody else's table a leading apostrophe is part of the name", async () => {
  const source = (async function* () {
    yield await Promise.resolve(csvRow(['id', 'path']))
    yield Buffer.from("1,'-x.txt\r\n")
  })()
  const read = []
  for await (const line of readManifest(source, { name: 'a.csv', servers: [SERVER] })) read.push(line)
  expect(JSON.stringify(read)).toContain("'-x.txt")
})
