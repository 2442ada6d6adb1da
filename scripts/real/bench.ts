import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Installation, NewFile } from './installation.ts'
import type { World } from './world.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** How a command ended. */
export interface Ended {
  readonly args: readonly string[]
  readonly code: number
  readonly text: string
}

/** Who gives a command: nobody in particular, or the bearer of a token. */
export type As = 'guest' | 'admin' | { readonly token: string }

/** Where the suite works, and on what. */
export class Bench {
  readonly installation: Installation
  readonly world: World
  readonly #folder: string

  constructor(installation: Installation, world: World, folder: string) {
    this.installation = installation
    this.world = world
    this.#folder = folder
  }

  get url(): string {
    return this.installation.url
  }

  /** A place to write to. */
  path(name: string): string {
    return join(this.#folder, name)
  }

  /** The id of a file of this name. */
  file({ name, directory }: Pick<NewFile, 'name' | 'directory'>): string {
    const all = [...this.world.main.files, ...this.world.counted.files]
    const found = all.find((file) => file.name === name && file.directory === directory)
    if (!found) throw new Error(`The suite did not make ${name}.`)
    return String(found.id)
  }

  /** Runs the command line as a user would, by default against the installation itself. */
  dataferry(args: readonly string[], as: As = 'guest', server = this.url): Promise<Ended> {
    const token = as === 'admin' ? this.installation.token : as === 'guest' ? undefined : as.token
    const env = {
      PATH: process.env['PATH'],
      HOME: this.#folder,
      DATAVERSE_SERVER: server,
      ...(token !== undefined && { DATAVERSE_API_TOKEN: token }),
    }
    return new Promise((resolve) => {
      execFile(process.execPath, ['--import', 'tsx', MAIN, ...args], { env }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ args, code, text: stdout + stderr })
      })
    })
  }
}

/** Ends a check, with what was wrong and what the command said. */
export function must(kept: boolean, wrong: string, ended?: Ended): asserts kept {
  if (kept) return
  const said = ended && `dataferry ${ended.args.join(' ')}: exit code ${ended.code}\n${ended.text}`
  throw new Error([wrong, said].filter(Boolean).join('\n'))
}

/** Ends a check unless the command ended with this code. */
export function mustEnd(ended: Ended, code: number): void {
  must(ended.code === code, `expected exit code ${code}`, ended)
}

/** Paths of the files below a folder, without records, sorted. */
export async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('.dataferry/'))
    .sort()
}

/** A file of the records of the one batch at a destination. */
export async function record(destination: string, name: string): Promise<string> {
  const records = join(destination, '.dataferry')
  const entries = await readdir(records, { recursive: true })
  const path = entries.find((one) => one.endsWith(`/${name}`))
  return path === undefined ? '' : readFile(join(records, path), 'utf8')
}

/** The objects that a command printed with `--json`. */
export function records({ text }: Ended): readonly Readonly<Record<string, unknown>>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
}
