import { resolve } from 'node:path'
import { csvRow } from '../../../src/batch/wanted-rows.ts'
import { splitRecord } from '../../../src/manifest/record.ts'
import { inertCell, plainCell } from '../../../src/model/own-tables.ts'
import { PathRegistry } from '../../../src/model/path-registry.ts'
import { MAX_PATH_BYTES, MAX_SEGMENT_BYTES, safeFilePath, safePath } from '../../../src/model/path.ts'
import { shellWord } from '../../../src/model/shell-word.ts'
import { visibleJson, visibleText } from '../../../src/model/visible-text.ts'
import { checkKey, checkPath, checkRecordName } from '../../../src/sinks/names.ts'
import type { Dice } from '../../dice.ts'
import { given, linear, must, resultOrCode } from '../promises.ts'
import type { FuzzTarget } from '../target.ts'

/** Names of files and folders as servers, manifests and file systems have them. */
export const target: FuzzTarget = {
  about:
    'A foreign path becomes one that stays in its folder on every system, the same when made safe again and unlike any other ' +
    'of its batch; shown to people, in a table or a shell it is inert; steps are in proportion to length.',
  async once(dice, note) {
    const { text } = given(madePath(dice), dice)
    note(text)
    const { path } = await linear(text, () => safePath(text))
    checkSafe(path)
    const beside = await linear(text, () => safeFilePath('raw/2024', text))
    checkSafe(beside.path)
    checkClaims([path, text, path.toUpperCase(), `${path}/x`, path.normalize('NFD'), path], dice)
    await checkShown(text)
    await checkNames(text)
  },
}

const SEGMENTS = [
  ...['a', 'data.csv', 'Übersicht.tab', 'archive.tar.gz', 'x'.repeat(300), 'ü'.repeat(200), 'e\u0301'.repeat(100)],
  ...['CON', 'nul.txt', 'com1', 'LPT9 .log', '.dataferry', '.DATAFERRY', '.', '..', '', ' ', 'a.', 'a ', '~', '-rf'],
  ...['=1+1', '+1', '-1', '@x', 'a\\b', 'C:', 'a:b', 'a?b', '日本語', '👨‍👩‍👧', 'a\u202eb', '\u0000', '\ud800', '\ufeff'],
]

function madePath(dice: Dice): string {
  return Array.from({ length: dice.between(1, 8) }, () => dice.pick(SEGMENTS)).join('/')
}

const FORBIDDEN = /[<>:"|?*\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\s*(?:\.|$)/i

function checkSafe(path: string): void {
  must(Buffer.byteLength(path) <= MAX_PATH_BYTES, 'a path that is too long')
  for (const segment of path.split('/')) {
    must(!['', '.', '..'].includes(segment), `a segment that is no name: ${JSON.stringify(path)}`)
    must(Buffer.byteLength(segment) <= MAX_SEGMENT_BYTES, 'a segment that is too long')
    must(!FORBIDDEN.test(segment) && !DEVICE.test(segment) && !/[. ]$/.test(segment), `not safe: ${segment}`)
  }
  must(!/^\.dataferry(?:\/|$)/i.test(path), 'a path into the folder of records')
  must(path === path.normalize('NFC'), 'a path that is not composed')
  checkPath(path)
  const again = safePath(path)
  must(again.path === path && !again.changed, `another path when made safe again: ${again.path}`)
}

/** Paths of one batch: none twice and none within another, whatever the case. */
function checkClaims(wanted: readonly string[], dice: Dice): void {
  const registry = new PathRegistry()
  const claims: string[] = []
  for (let left = dice.between(1, 12); left > 0; left -= 1) {
    claims.push(registry.claim(safePath(dice.pick(wanted)).path))
  }
  for (const claim of claims) checkSafe(claim)
  const folded = claims.map((claim) => claim.toLowerCase())
  must(new Set(folded).size === folded.length, `a path twice: ${JSON.stringify(claims)}`)
  const isWithin = folded.some((one) => folded.some((other) => other.startsWith(`${one}/`)))
  must(!isWithin, `a file where a folder is: ${JSON.stringify(claims)}`)
}

async function checkShown(text: string): Promise<void> {
  const shown = await linear(text, () => visibleText(text))
  must(!/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(shown), 'controls that are shown raw')
  const json = JSON.stringify(text)
  must(JSON.parse(await linear(json, () => visibleJson(json))) === text, 'another text in JSON')
  const cell = inertCell(text)
  must(!/^[=+\-@\t\r]/.test(cell), 'a cell that a spreadsheet runs')
  must(plainCell(cell) === text, 'a cell that is not read again')
  const row = splitRecord(csvRow([text, 'end']).toString().replace(/\r\n$/, ''), ',')
  must(row.state === 'whole' && row.cells[1] === 'end', 'a row that is torn')
  must(row.cells[0] === inertCell(shown), 'another cell in its row')
  const word = await linear(text, () => shellWord(text))
  must(!/[\p{C}\p{Zl}\p{Zp}]/u.test(word), 'a word with controls')
}

/** What is not made safe before is refused, or stays in its place. */
async function checkNames(text: string): Promise<void> {
  for (const check of [checkPath, checkRecordName, checkKey]) {
    const isTaken = await resultOrCode(() => linear(text, () => (check(text), true)), /^ARGUMENT_INVALID$/).catch(
      (error: unknown) => {
        // These sentences name what was given, however long it is: only our own code gives it.
        if (error instanceof Error && error.message.startsWith('a message of')) return undefined
        throw error
      },
    )
    if (isTaken) must(resolve('/at', text).startsWith('/at/'), `a name that leaves its place: ${text}`)
  }
}
