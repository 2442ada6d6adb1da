import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { World } from '../fakes/dataverse/world.ts'
import { runInProcess, type Ended } from './in-process.ts'
import { useStandIn } from './use-stand-in.ts'

const PID = 'doi:10.5072/FK2'

/** root: A (file 1); climate: B (2); climate/deep: C (3). */
function world(): World {
  const made = new World()
  made.collection('climate', { title: 'Climate' })
  made.collection('deep', { parent: 'climate', title: 'Deep' })
  const content = (id: number): object => ({ id, label: `${id}.txt`, content: `bytes of ${id}` })
  made.dataset(`${PID}/A`, { title: 'Rivers', files: [content(1) as { label: string }] })
  made.dataset(`${PID}/B`, { title: 'Temperature', collection: 'climate', files: [content(2) as { label: string }] })
  made.dataset(`${PID}/C`, {
    title: 'Temperature at sea',
    collection: 'deep',
    files: [content(3) as { label: string }],
  })
  return made
}

const here = useStandIn({ world: world() })

let folders = 0
const fresh = (): string => join(here.cwd, `to-${++folders}`)

async function plan(args: readonly string[], to = fresh()): Promise<Ended & { readonly to: string }> {
  const env = { DATAVERSE_SERVER: here.dataverse.url }
  return { ...(await runInProcess(['plan', ...args, '--to', to, '--json'], { cwd: here.cwd, env })), to }
}

interface Recorded {
  readonly id: string
  readonly manifest: { readonly name: string; readonly entries: number }
}

async function batchOf(to: string): Promise<Recorded & { readonly text: string; readonly files: readonly string[] }> {
  const [name = ''] = (await readdir(join(to, '.dataferry'))).filter((one) => /-\d{8}-\d{6}-/.test(one))
  const folder = join(to, '.dataferry', name)
  const { id, manifest } = JSON.parse(await readFile(join(folder, 'batch.json'), 'utf8')) as Recorded
  const items = (await readFile(join(folder, 'items.ndjson'), 'utf8')).trim().split('\n')
  const files = items.map((line) => (JSON.parse(line) as { path: string }).path)
  return { id, manifest, text: await readFile(join(folder, 'manifest'), 'utf8'), files }
}

function searches(): number {
  return here.dataverse.requests.filter(({ url }) => /\/api\/(?:search|dataverses)/.test(url)).length
}

describe('--collection and --query', () => {
  it('take all datasets of a collection, and record the list as the manifest', async () => {
    const { code, to, stderr } = await plan(['--collection', 'climate'])
    expect(stderr).toBe('Searching for datasets: collection climate …\nFound 2 datasets.\n')
    expect(code).toBe(0)
    const { id, manifest, text, files } = await batchOf(to)
    expect(id).toMatch(/^collection-climate-/)
    expect(manifest).toMatchObject({ name: 'collection climate', entries: 2 })
    const rows = [`${PID}/B,${here.dataverse.url}`, `${PID}/C,${here.dataverse.url}`]
    expect(text.split('\n')).toEqual([
      expect.stringMatching(/^# collection climate, found 2/),
      'dataset,server',
      ...rows,
      '',
    ])
    expect(files).toEqual(['doi-10.5072-FK2-B/2.txt', 'doi-10.5072-FK2-C/3.txt'])
  })

  it('go together with one another and with manifests', async () => {
    const both = await plan(['--collection', 'climate', '--query', 'sea'])
    expect((await batchOf(both.to)).files).toEqual(['doi-10.5072-FK2-C/3.txt'])
    const several = await plan(['1', '--query', 'Temperature', '--collection', 'deep', '--collection', 'climate'])
    expect(several.code).toBe(0)
    expect((await batchOf(several.to)).files).toEqual([
      'doi-10.5072-FK2-A/1.txt',
      'doi-10.5072-FK2-C/3.txt',
      'doi-10.5072-FK2-B/2.txt',
    ])
    expect(several.record()).toMatchObject({ duplicates: 1 })
  })

  it('search once for an unfinished batch, and anew with --new', async () => {
    const first = await plan(['--query', 'Temperature'])
    const before = searches()
    const again = await plan(['--query', 'Temperature'], first.to)
    expect(again.record()).toMatchObject({ batch: (await batchOf(first.to)).id, items: 2 })
    expect(searches()).toBe(before)
    await plan(['--query', 'Temperature', '--new'], first.to)
    expect(searches()).toBeGreaterThan(before)
    await plan(['--query', 'sea'], first.to)
    expect((await readdir(join(first.to, '.dataferry'))).filter((name) => name.startsWith('search-'))).toHaveLength(3)
  })

  it('end with a sentence when nothing is found, or the server cannot be asked', async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await plan(args)
      expect(code).toBeGreaterThan(1)
      return stderr
    }
    expect(await refused('--query', 'nothing like it')).toContain(
      'No released dataset was found (search nothing like it)',
    )
    expect(await refused('--collection', 'nowhere')).toContain('knows no collection nowhere')
    expect(await refused('--collection', 'https://x/y')).toContain('is not an alias')
    expect(await refused('--query', ' ')).toContain('--query is empty')
    expect(await refused()).toContain('No manifest is given')
    const { stderr, code } = await runInProcess(['plan', '--collection', 'x', '--to', fresh()], { cwd: here.cwd })
    expect([code, stderr]).toEqual([2, expect.stringContaining('Name the server to search with --server')])
  })
})

describe('collections in a manifest', () => {
  async function contents(): Promise<string> {
    const path = join(here.cwd, `contents-${++folders}.json`)
    const answer = await fetch(`${here.dataverse.url}/api/dataverses/climate/contents`)
    await writeFile(path, Buffer.from(await answer.arrayBuffer()))
    return path
  }

  it('are named as not taken, and the exit code says that something is missing', async () => {
    const { code, stdout } = await plan([await contents()])
    expect(code).toBe(1)
    expect(stdout).toContain('COLLECTION_SKIPPED')
    expect(stdout).toContain('(Deep) is skipped: use --recursive to fetch all datasets in it.')
  })

  it('are walked with --recursive', async () => {
    const manifest = await contents()
    const { code, to } = await plan([manifest, '--recursive'])
    expect(code).toBe(0)
    expect((await batchOf(to)).files).toEqual(['doi-10.5072-FK2-B/2.txt', 'doi-10.5072-FK2-C/3.txt'])
    const before = searches()
    expect((await plan([manifest, '--recursive'], to)).code).toBe(0)
    expect(searches()).toBe(before)
  })
})

describe('a server that is away while it is searched', () => {
  const status = { kind: 'status', status: 502, body: 'html' } as const

  it('is waited for, said once, and searched on', async () => {
    // The search is tried four times, and then the server itself, which does not answer either.
    here.dataverse.fault({ path: '/api/search', steps: [status, status, status, status] })
    here.dataverse.fault({ path: '/api/info/version', steps: [{ kind: 'fine' }, status] })
    const env = { DATAVERSE_SERVER: here.dataverse.url, DATAFERRY_OUTAGE_FIRST: '20ms' }
    const to = fresh()
    const { code, stderr } = await runInProcess(['plan', '--query', 'Temperature', '--to', to], { cwd: here.cwd, env })
    here.dataverse.clearFaults()
    expect(stderr.match(/The search has been on hold since .*, next look at .*502/g)).toHaveLength(1)
    expect(code).toBe(0)
    expect((await batchOf(to)).files).toEqual(['doi-10.5072-FK2-B/2.txt', 'doi-10.5072-FK2-C/3.txt'])
  })
})
