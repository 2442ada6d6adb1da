import { checkArchive } from '../../../src/archive/check-archive.ts'
import { checkStream } from '../../../src/archive/check-stream.ts'
import { DEFAULT_LIMITS } from '../../../src/archive/limits.ts'
import { decodeManifestTxt, parseManifestTxt } from '../../../src/archive/manifest-txt.ts'
import { bufferAccess, type RandomAccess } from '../../../src/archive/random-access.ts'
import { readEntries } from '../../../src/archive/read-entries.ts'
import { buildZip, dataOf, type RawEntry } from '../../../test/archive/zip-builder.ts'
import type { Dice } from '../../dice.ts'
import { cost, withinCost } from '../cost.ts'
import { inPieces } from '../pieces.ts'
import { given, linear, must, resultOrCode } from '../promises.ts'
import type { FuzzTarget } from '../target.ts'

const CODES = /^ZIP_(?:DAMAGED|HOSTILE)$/
const MIB = 1024 * 1024
const LIMITS = { ...DEFAULT_LIMITS, totalBytes: 4 * MIB, ratioFrom: MIB }

/** Archives as Dataverse and other tools write them, with bytes changed, moved, doubled and lost. */
export const target: FuzzTarget = {
  about:
    'An archive is proved whole or refused with ZIP_DAMAGED or ZIP_HOSTILE, the same at rest and going past; no entry is given ' +
    'with other bytes than it was packed from; never more is read than is there, or unfolded than is allowed.',
  async once(dice, note) {
    const entries = madeEntries(dice)
    const whole = buildZip(entries, {
      zip64: dice.number() < 0.2,
      comment: dice.pick(['', 'PK\x05\x06', 'x'.repeat(999)]),
    })
    const zip = damaged(whole, dice)
    note(zip)
    const begun = cost()
    const atRest = await resultOrCode(() => checkArchive(counted(zip), { limits: LIMITS }), CODES)
    const past = await resultOrCode(() => checkStream(inPieces(zip, dice.between(1, 4096)), { limits: LIMITS }), CODES)
    const found = await entriesIn(zip, dice)
    withinCost(begun, zip.length + LIMITS.totalBytes)
    const isSafe = entries.every(({ name }) => !HOSTILE_NAMES.some((one) => one === name))
    if (zip === whole) must(isSafe === (atRest !== undefined), `a whole archive is ${isSafe ? 'refused' : 'accepted'}`)
    must(!past || atRest !== undefined, 'accepted going past, refused at rest')
    const packed = new Set(entries.map((entry) => dataOf(entry).toString('base64')))
    // Damage can make a header of zeros, which fits no bytes at all: their CRC-32 is 0.
    for (const bytes of found.filter(({ length }) => length > 0))
      must(packed.has(bytes.toString('base64')), `an entry of ${bytes.length} bytes that was never packed`)
    const { text } = given(dice.pick(MANIFESTS).repeat(dice.between(1, 5)), dice)
    const read = await linear(text, () => parseManifestTxt(decodeManifestTxt(Buffer.from(text))))
    must(
      read === undefined || read.lines.length + read.unknown.length <= text.split('\n').length,
      'lines made of nothing',
    )
  },
}

const NAMES = ['a.txt', 'raw/2024/b.csv', 'ü.tab', 'MANIFEST.TXT', '0MANIFEST.TXT']
const HOSTILE_NAMES = ['../up', '/etc/x', 'a/../../b', 'C:/x', '']
const MANIFESTS = [
  'a.txt (text/plain) 20 bytes.\r\n',
  'b.csv (text/csv)  skipped because the total size of the download bundle exceeded the limit of 100 bytes.\r\n',
  'c.csv IS RESTRICTED AND CANNOT BE DOWNLOADED\r\n',
  'd (x/y) COULD NOT be downloaded because an I/O error has occured.\r\n',
]

function madeEntries(dice: Dice): RawEntry[] {
  return Array.from({ length: dice.between(0, 6) }, () => ({
    name: dice.pick(dice.number() < 0.05 ? HOSTILE_NAMES : NAMES),
    data: dice.pick([
      '',
      'short',
      'PK\x03\x04 looks like one',
      'x'.repeat(dice.between(0, 30_000)),
      'a.txt (text/plain) 20 bytes.\r\n',
      buildZip([{ name: 'inner', data: 'inner' }]),
    ]),
    ...dice.pick([
      {},
      { descriptor: 'none' as const },
      { descriptor: 'unsigned' as const },
      { descriptor: 'signed64' as const },
      { descriptor: 'none' as const, method: 0 },
    ]),
  }))
}

/** Changes few bytes, so that nothing but a checksum could tell; or many. */
function damaged(zip: Buffer, dice: Dice): Buffer {
  let changed = zip
  for (let left = dice.between(0, 3); left > 0; left -= 1) changed = dice.pick(DAMAGES)(changed, dice)
  return changed
}

const FIELDS = [0, 1, 0xff, 0xffff, 0x7fff_ffff, 0xffff_fff0, 0xffff_ffff]
const RECORDS = ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07', 'PK\x07\x08']

const DAMAGES: readonly ((zip: Buffer, dice: Dice) => Buffer)[] = [
  (zip, dice) => {
    const copy = Buffer.from(zip)
    const at = dice.between(0, Math.max(0, zip.length - 1))
    copy[at] = (copy[at] ?? 0) ^ (1 << dice.between(0, 7))
    return copy
  },
  (zip, dice) => zip.subarray(0, dice.between(0, zip.length)),
  (zip, dice) => spliced(zip, dice, Buffer.alloc(0)),
  (zip, dice) => spliced(zip, dice, zip.subarray(0, dice.between(0, 500))),
  (zip, dice) => spliced(zip, dice, Buffer.from(dice.pick(RECORDS), 'latin1')),
  // A length, size, offset or count within a record.
  (zip, dice) => {
    const record = zip.indexOf(dice.pick(RECORDS), dice.between(0, zip.length), 'latin1')
    const at = record + dice.between(4, 46)
    if (record < 0 || at + 4 > zip.length) return zip
    const copy = Buffer.from(zip)
    copy.writeUInt32LE(dice.pick(FIELDS), at)
    return copy
  },
]

function spliced(zip: Buffer, dice: Dice, piece: Uint8Array): Buffer {
  const at = dice.between(0, zip.length)
  return Buffer.concat([zip.subarray(0, at), piece, zip.subarray(at + dice.between(0, 60))])
}

/** Refuses to be asked for what is not there, or for all of it again and again. */
function counted(zip: Uint8Array): RandomAccess {
  const source = bufferAccess(zip)
  let read = 0
  return {
    size: source.size,
    read: (from, to) => {
      must(from >= 0 && from <= to && to <= zip.length, `bytes ${from} to ${to} of ${zip.length} were asked for`)
      read += to - from
      must(read <= 4 * zip.length + MIB, `${read} bytes were read of ${zip.length}`)
      return source.read(from, to)
    },
  }
}

async function entriesIn(zip: Uint8Array, dice: Dice): Promise<Buffer[]> {
  const found: Buffer[] = []
  let unfolded = 0
  const read = async (): Promise<void> => {
    for await (const entry of readEntries(inPieces(zip, dice.between(1, 4096)), LIMITS)) {
      const chunks: Uint8Array[] = []
      const isWhole = await resultOrCode(async () => {
        for await (const chunk of entry.open()) {
          chunks.push(Uint8Array.from(chunk))
          unfolded += chunk.length
        }
        return true
      }, CODES)
      // Behind damage it may be part of a file that is an archive itself: nobody takes it without a checksum.
      if (isWhole && !entry.doubtful) found.push(Buffer.concat(chunks))
      must(unfolded <= LIMITS.totalBytes, `${unfolded} bytes were unfolded`)
    }
  }
  await resultOrCode(read, CODES)
  return found
}
