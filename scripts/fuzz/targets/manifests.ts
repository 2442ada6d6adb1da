import { readManifest } from '../../../src/manifest/read-manifest.ts'
import type { ManifestLine, Target } from '../../../src/model/entry.ts'
import { cost, withinCost } from '../cost.ts'
import { NO_FILE, realForm, SERVER } from '../forms.ts'
import { mutatedJson, mutatedText } from '../mutate.ts'
import { inPieces } from '../pieces.ts'
import type { FuzzTarget } from '../target.ts'

/** Readers of manifests are given forms that tools and servers write, changed in structure and text. */
export const target: FuzzTarget = {
  about:
    'Reading a manifest never throws or hangs, takes time in proportion to its length, gives each line an entry or one ' +
    'sentence with its place, the same however the bytes are cut, and takes no file id from what is none.',
  async once(dice, note) {
    const { name, value, write } = realForm(dice)
    const structured = write(mutatedJson(value, dice))
    const isPlain = dice.number() < 0.3
    const bytes = Buffer.from(isPlain ? structured : mutatedText(structured, dice))
    note(bytes)
    const begun = cost()
    const lines = await readAll(bytes, name, 64 * 1024)
    withinCost(begun, bytes.length, lines.length)
    for (const line of lines) check(line, name)
    // Damage to the text itself may make any number of any other.
    if (isPlain) for (const line of lines) checkFiles(line)
    if (bytes.length > 20_000) return
    const again = await readAll(bytes, name, dice.between(1, 40))
    if (shown(again) !== shown(lines))
      throw new Error(`another cut gives other lines:\n${shown(lines)}\n${shown(again)}`)
  },
}

async function readAll(bytes: Uint8Array, name: string, size: number): Promise<ManifestLine[]> {
  const lines: ManifestLine[] = []
  const servers = [SERVER]
  for await (const line of readManifest(inPieces(bytes, size), { name, servers, ignoreColumns: true })) lines.push(line)
  return lines
}

function check(line: ManifestLine, name: string): void {
  if (!Number.isSafeInteger(line.line) || line.line < 1) throw new Error(`line number ${line.line}`)
  if ('entry' in line) return
  const { message } = line.error
  const shownName = name === '-' ? 'standard input' : name
  if (!message.startsWith(`${shownName}:${line.line}: `)) throw new Error(`an error without its place: ${message}`)
  if (message.length > 1000 || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(message)) throw new Error(`no single sentence: ${message}`)
}

function checkFiles(line: ManifestLine): void {
  const wrong = 'entry' in line ? filesOf(line.entry.target).find((id) => id >= NO_FILE) : undefined
  if (wrong !== undefined) throw new Error(`${wrong} is no id of a file, but was taken for one`)
}

function filesOf(asked: Target): readonly number[] {
  if (asked.kind === 'zip') return asked.files
  return 'file' in asked && typeof asked.file === 'number' ? [asked.file] : []
}

function shown(lines: readonly ManifestLine[]): string {
  return lines.map((line) => ('entry' in line ? JSON.stringify(line.entry) : line.error.message)).join('\n')
}
