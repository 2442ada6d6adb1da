// Programs as bundles, which load several times as fast as their hundreds of files do.
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Packages in CommonJS take Node.js' own modules by `require`, which an ES module does not have by itself. */
const REQUIRE = `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`

/**
 * What Node.js is told to run: the programs, and the code of hash threads, which is looked for beside them by this name.
 * Sources are relative to the root of the project.
 */
export const PROGRAMS = {
  dataferry: 'src/cli/main.ts',
  health: 'src/cli/health.ts',
  'hash-thread': 'src/transfer/hash-thread.js',
}

/** Returns what esbuild says of inputs and outputs; paths are relative to the root of the project. */
export async function bundle(entryPoints, outdir, options = {}) {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints,
    outdir,
    bundle: true,
    // What only some commands need stays in files of its own, read when it is imported.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'none',
    banner: { js: REQUIRE },
    metafile: true,
    logLevel: 'warning',
    ...options,
  })
  return metafile
}
