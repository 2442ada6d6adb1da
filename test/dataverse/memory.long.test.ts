import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { scriptedServer } from './scripted-server.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MIB = 1024 * 1024
const FIVE_GB = 5_000_000_000

/** The client as it is published: plain JavaScript, so that no compiler's memory is measured with it. */
async function compileClient(folder: string): Promise<void> {
  const names = ['errors.ts', 'log.ts', 'index.ts']
  for (const part of ['dataverse', 'json', 'model']) {
    const found = await readdir(join(ROOT, 'src', part), { recursive: true })
    names.push(...found.filter((name) => name.endsWith('.ts')).map((name) => `${part}/${name}`))
  }
  for (const name of names) {
    const source = await readFile(join(ROOT, 'src', name), 'utf8')
    const compilerOptions = {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    }
    const target = join(folder, name.replace(/\.ts$/, '.js'))
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, ts.transpileModule(source, { compilerOptions }).outputText)
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
}

const READER = `
import { DataAccessApi } from './index.js'
const api = new DataAccessApi({ baseUrl: process.argv[2] })
const file = await api.streamDatafile(1)
let size = 0
for await (const chunk of file) size += chunk.length
await api.close()
process.send({ size, maxRss: process.resourceUsage().maxRSS * 1024 })
process.disconnect()
`

describe('memory', () => {
  it('streaming 5 GB takes less than 150 MB', { timeout: 180_000 }, async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-length': String(FIVE_GB), 'content-disposition': 'attachment' })
      const block = Buffer.alloc(MIB)
      let left = FIVE_GB
      const more = (): void => {
        while (left > 0) {
          const chunk = block.subarray(0, Math.min(left, block.length))
          left -= chunk.length
          if (!response.write(chunk)) {
            response.once('drain', more)
            return
          }
        }
        response.end()
      }
      more()
    })
    const folder = await mkdtemp(join(tmpdir(), 'dataferry-memory-'))
    try {
      await compileClient(folder)
      await writeFile(join(folder, 'reader.js'), READER)
      const reader = fork(join(folder, 'reader.js'), [server.url], { execArgv: [] })
      const ended = once(reader, 'exit').then(([code]) =>
        Promise.reject(new Error(`the reader ended with ${String(code)}`)),
      )
      const [told] = (await Promise.race([once(reader, 'message'), ended])) as [{ size: number; maxRss: number }]
      await ended.catch(() => undefined)
      const { size, maxRss } = told
      expect(size).toBe(FIVE_GB)
      expect(maxRss / 1e6).toBeLessThan(150)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
