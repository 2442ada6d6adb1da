import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { diskTree } from '../../../src/proof/tree.ts'
import { hasPython, hasRocfl, python, rocfl } from '../validators.ts'
import { validated } from './object-draft.ts'

/**
 * Has everybody judge a storage root on disk: dataferry, ocfl-py, which knows no layout 0004 and then judges the objects alone, and
 * rocfl where it could be built.
 * @returns where its objects are, relative to it
 */
export async function judgeRoot(root: string): Promise<readonly string[]> {
  const { findings } = await validated(diskTree(root), 'root')
  expect(findings.filter(({ level }) => level === 'error')).toEqual([])
  const objects: string[] = []
  for await (const { path } of diskTree(root).list())
    if (path.endsWith('/0=ocfl_object_1.1')) objects.push(dirname(path))
  if (hasPython) {
    const knowsLayout = !(await readdir(join(root, 'extensions'))).includes('0004-hashed-n-tuple-storage-layout')
    const places = [...objects.map((path) => join(root, path)), ...(knowsLayout ? [root] : [])]
    const judged = await python('ocfl-validate.py', ...places)
    expect(judged.code, judged.text).toBe(0)
  }
  if (hasRocfl) {
    const judged = await rocfl('-r', root, 'validate')
    expect(judged.code, judged.text).toBe(0)
  }
  return objects
}
