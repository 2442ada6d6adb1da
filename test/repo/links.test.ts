import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const headings = new Map<string, ReadonlySet<string>>()

it('every link between pages leads to a file and a heading that are there', async () => {
  const dead: string[] = []
  for (const page of await pages())
    for (const [, target = ''] of (await prose(page)).matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)) {
      const [path = '', heading] = target.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      if (!(await leads(file, heading))) dead.push(`${page}: ${target}`)
    }
  expect(dead).toEqual([])
})

async function pages(): Promise<string[]> {
  const docs = (await readdir(join(ROOT, 'docs'), { recursive: true })).map((name) => join('docs', name))
  return [...(await readdir(ROOT)), ...docs].filter((name) => extname(name) === '.md')
}

async function leads(file: string, heading: string | undefined): Promise<boolean> {
  const isThere = await access(join(ROOT, file)).then(
    () => true,
    () => false,
  )
  if (!isThere || heading === undefined || extname(file) !== '.md') return isThere
  const known = headings.get(file) ?? (await anchors(file))
  headings.set(file, known)
  return known.has(heading)
}

/** As GitHub makes them: lower case, no punctuation, hyphens for spaces, a number where one stands twice. */
async function anchors(page: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const [, text = ''] of (await prose(page)).matchAll(/^#+ (.*)$/gm)) {
    const anchor = text
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    let again = 0
    while (found.has(again === 0 ? anchor : `${anchor}-${again}`)) again++
    found.add(again === 0 ? anchor : `${anchor}-${again}`)
  }
  return found
}

/** Without what is code. */
async function prose(page: string): Promise<string> {
  return (await readFile(join(ROOT, page), 'utf8')).replaceAll(/^```.*?^```/gms, '')
}
