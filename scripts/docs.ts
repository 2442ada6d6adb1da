import { writeFile } from 'node:fs/promises'
import { referencePages } from './reference.ts'

// `npm run docs`: writes the pages that are made from the code. A test tells when they are out of step.
for (const [path, text] of await referencePages()) {
  await writeFile(new URL(`../${path}`, import.meta.url), text)
  process.stderr.write(`docs: ${path}\n`)
}
