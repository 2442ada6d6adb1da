// The pages of the dashboard, bundled: everything that a browser needs, so that they work without any network.
import { build } from 'esbuild'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PAGES = fileURLToPath(new URL('../src/dashboard/pages', import.meta.url))
const STATIC = ['index.html', 'icon.svg']

/** Returns what esbuild says of the inputs; paths are relative to the root of the project. */
export async function buildPages(outdir) {
  await mkdir(outdir, { recursive: true })
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
    entryPoints: [join(PAGES, 'main.tsx'), join(PAGES, 'main.css')],
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  await Promise.all(STATIC.map((name) => copyFile(join(PAGES, name), join(outdir, name))))
  return metafile
}
