import type { FileSpec } from '../fakes/dataverse/specs.ts'

/** A file of a dataset of the stand-in. */
export function file(label: string, content = label, directory?: string): FileSpec {
  return { label, content, ...(directory !== undefined && { directory }) }
}
