// Says what it can tell of a process: its argument is an identity as JSON, with `exhaust` after it uses up its file descriptors first.
import { openSync } from 'node:fs'
import { newOwner, livenessOf, ownerLiveness, ownProcess, parseIdentity } from '../../src/process/process-identity.ts'
import { systemCode } from '../../src/errors.ts'

const [, , text = '', exhaust] = process.argv
const other = parseIdentity(text)
if (!other) throw new Error('no identity')
await ownProcess()
if (exhaust === 'exhaust') useUpDescriptors()
const answers = [await livenessOf(other), await ownerLiveness(newOwner(other))]
process.stdout.write(answers.join(' '))

function useUpDescriptors(): void {
  try {
    for (;;) openSync('/dev/null', 'r')
  } catch (error) {
    if (systemCode(error) !== 'EMFILE') throw error
  }
}
