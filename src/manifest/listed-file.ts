import { z } from 'zod'
import type { Entry } from '../model/entry.ts'
import { fileElementSchema, listedFile } from '../model/file-element.ts'
import { badLine } from './bad-line.ts'

/** An element that can be fetched: what the server may leave out elsewhere, a manifest must give. */
const elementSchema = fileElementSchema.extend({
  label: z.string().min(1),
  dataFile: fileElementSchema.shape.dataFile.extend({ id: z.number().int().positive() }),
})

/** Whether a JSON object is an element of a listing rather than a row of a manifest. */
export function isListingElement(value: object): boolean {
  return 'dataFile' in value
}

/** Reads an element of a Dataverse file listing. Throws a bad line. */
export function readListedFile(value: unknown): Entry {
  const element = elementSchema.safeParse(value)
  if (!element.success) {
    const [issue] = element.error.issues
    throw badLine(`the listed file has a bad ${issue?.path.join('.') ?? 'shape'}: request the listing again`)
  }
  const listed = listedFile(element.data, new Date().toISOString().slice(0, 10))
  return { target: { kind: 'file', file: listed.id }, listed }
}
