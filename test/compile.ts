import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type TypeScript from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = join(ROOT, 'node_modules', '.cache', 'dataferry')

/**
 * Set-up of a test run: compiles what tests start as processes, as far as it changed since the last run. A process that
 * compiles its own sources needs half a second for that, at each of the hundreds of starts. See node-program.ts.
 */
export default async function compile(): Promise<void> {
  const stale: string[] = []
  for (const folder of ['src', 'jobs', 'workers', 'scripts', 'test'])
    for (const name of await readdir(join(ROOT, folder), { recursive: true })) {
      const path = join(folder, name)
      if (/(?<!\.test)\.(ts|js)$/.test(path) && (await isStale(path))) stale.push(path)
    }
  if (stale.length > 0) {
    const { default: ts } = await import('typescript')
    await write('package.json', '{"type":"module"}')
    for (const path of stale) {
      const source = await readFile(join(ROOT, path), 'utf8')
      await write(compiledName(path), path.endsWith('.js') ? source : toJavaScript(ts, source))
    }
  }
  process.env['TEST_PROGRAMS'] = OUT
}

function toJavaScript(ts: typeof TypeScript, source: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  }
  return ts.transpileModule(source, { compilerOptions }).outputText
}

async function isStale(path: string): Promise<boolean> {
  const compiled = await stat(join(OUT, compiledName(path))).catch(() => undefined)
  return compiled === undefined || compiled.mtimeMs < (await stat(join(ROOT, path))).mtimeMs
}

function compiledName(path: string): string {
  return path.replace(/\.ts$/, '.js')
}

/** A file is replaced in one step: another test run may read it. */
async function write(name: string, text: string): Promise<void> {
  const path = join(OUT, name)
  await mkdir(dirname(path), { recursive: true })
  const part = `${path}.${process.pid}`
  await writeFile(part, text)
  await rename(part, path)
}
