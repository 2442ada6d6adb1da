import { versionNumber } from '../inventory.ts'
import type { OcflCode } from './codes.ts'

/** Tells where the names of versions, given in any order, are no sequence in one style. Names that are none are left out. */
export function checkNumbering(names: readonly string[], tell: (code: OcflCode, detail: string) => void): void {
  const versions = names
    .filter((name) => /^v0*[1-9]\d{0,8}$/.test(name))
    .toSorted((a, b) => versionNumber(a) - versionNumber(b) || (a < b ? -1 : 1))
  const [first] = versions
  if (first === undefined) return
  if (versionNumber(first) !== 1) tell('E009', `the first one is ${first}`)
  const gap = versions.find((name, at) => at > 0 && versionNumber(name) > versionNumber(versions[at - 1] ?? '') + 1)
  if (gap !== undefined) tell('E010', `there is none before ${gap}`)
  const isPadded = first.startsWith('v0')
  for (const name of versions) {
    if (isPadded && !name.startsWith('v0')) tell('E011', name)
    else if (name.startsWith('v0') !== isPadded || (isPadded && name.length !== first.length)) tell('E012', name)
  }
}
