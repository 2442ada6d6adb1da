// `npm run build`: the library, compiled file by file with its types, and the program as a bundle.
// `npm run build -- --program` makes the program alone.
import { spawnSync } from 'node:child_process'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPages } from './build-pages.mjs'
import { bundle, PROGRAMS } from './bundle.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = join(ROOT, 'dist', 'bin')

const programOnly = process.argv.includes('--program')
await rm(programOnly ? OUT : join(ROOT, 'dist'), { recursive: true, force: true })
if (!programOnly) compileLibrary()
const packages = await bundleProgram()
await writeFile(join(OUT, 'THIRD-PARTY-LICENSES.txt'), await licencesOf(packages))

function compileLibrary() {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Returns the folders of the packages that the bundle holds something of. */
async function bundleProgram() {
  const metafile = await bundle(PROGRAMS, OUT)
  await chmod(join(OUT, 'dataferry.js'), 0o755)
  const pages = await buildPages(join(OUT, 'dashboard-pages'))
  const inputs = Object.values({ ...metafile.outputs, ...pages.outputs }).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  )
  return [...new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []))].sort()
}

/** The licences of packages, each with its text. */
async function licencesOf(packages) {
  const texts = []
  for (const folder of packages) {
    const { name, version, license } = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8'))
    const files = (await readdir(join(ROOT, folder)))
      .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
      .sort()
    if (!license && files.length === 0) throw new Error(`${folder} names no licence`)
    const own = await Promise.all(files.map((file) => readFile(join(ROOT, folder, file), 'utf8')))
    texts.push([`${name} ${version} (${license ?? 'see below'})`, ...own.map((text) => text.trim())].join('\n\n'))
  }
  return `The program contains these packages.\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}
