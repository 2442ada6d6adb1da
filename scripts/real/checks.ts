import { execFile } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { World } from './world.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** Where the suite works, and on what. */
export interface Bench {
  readonly url: string
  readonly token: string
  readonly folder: string
  readonly world: World
}

interface Ended {
  readonly code: number
  readonly text: string
}

export interface Check {
  /** The promise. */
  readonly name: string
  /** Rejects, or resolves with what was wrong. */
  readonly run: (bench: Bench) => Promise<string | undefined>
}

function dataferry({ url, token, folder }: Bench, args: readonly string[], as: 'guest' | 'admin'): Promise<Ended> {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    DATAVERSE_SERVER: url,
    ...(as === 'admin' && { DATAVERSE_API_TOKEN: token }),
  }
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', MAIN, ...args], { env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, text: stdout + stderr })
    })
  })
}

function wrong(what: string, { code, text }: Ended): string {
  return `${what} (exit code ${code})\n${text}`
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true })
  const files = await Promise.all(
    entries.map(async (name) => ((await stat(join(folder, name))).isFile() ? [name] : [])),
  )
  return files.flat().filter((name) => !name.startsWith('.dataferry'))
}

/** Every promise of the README that can be looked at from outside, in an order in which each may build on the one before. */
export const CHECKS: readonly Check[] = [
  {
    name: 'doctor finds server and token sound',
    run: async (bench) => {
      const ended = await dataferry(bench, ['doctor'], 'admin')
      return /ok +Server/.test(ended.text) && /ok +Token/.test(ended.text) ? undefined : wrong('doctor', ended)
    },
  },
  {
    name: 'a guest gets what is public, verified, and what is not is named with its code',
    run: async (bench) => {
      const to = join(bench.folder, 'guest')
      const ended = await dataferry(bench, ['run', bench.world.pid, '--to', to], 'guest')
      const failures = await readFile(join(to, '.dataferry', await batchIn(to), 'failures.csv'), 'utf8')
      const names = await namesIn(to)
      const withheld = names.some((name) => /secret|draft|later/.test(name))
      const good = ended.code === 1 && /SOURCE_DENIED/.test(failures) && /secret/.test(failures) && !withheld
      return good ? undefined : wrong(`files: ${names.join(', ')}; failures: ${failures}`, ended)
    },
  },
  {
    name: 'the published version comes whole with a token: folders, odd names, restricted files, originals of tables',
    run: async (bench) => {
      const to = join(bench.folder, 'all')
      const ended = await dataferry(bench, ['run', `${bench.world.pid}@2.0`, '--to', to], 'admin')
      if (ended.code !== 0) return wrong('run', ended)
      const there = await namesIn(to)
      for (const { name, directory, content } of bench.world.files) {
        const found = there.find((one) => one.normalize('NFC').endsWith([directory, name].filter(Boolean).join('/')))
        if (found === undefined) return wrong(`${name} is not there: ${there.join(', ')}`, ended)
        if ((await readFile(join(to, found), 'utf8')) !== content) return `${found} has other bytes`
      }
      return undefined
    },
  },
  {
    name: 'what is there is not fetched again, and verify finds it right',
    run: async (bench) => {
      const to = join(bench.folder, 'all')
      const again = await dataferry(bench, ['run', `${bench.world.pid}@2.0`, '--to', to, '--json'], 'admin')
      if (again.code !== 0) return wrong('the second run', again)
      const verified = await dataferry(bench, ['verify', to], 'guest')
      return verified.code === 0 ? undefined : wrong('verify', verified)
    },
  },
  {
    name: 'an older version has its own files alone',
    run: async (bench) => {
      const to = join(bench.folder, 'first')
      const ended = await dataferry(bench, ['run', `${bench.world.pid}@1.0`, '--to', to], 'guest')
      const names = await namesIn(to)
      return ended.code === 0 && names.length === 2 ? undefined : wrong(names.join(', '), ended)
    },
  },
  {
    name: 'a deaccessioned dataset is told from an unknown one, with reason and forwarding address',
    run: async (bench) => {
      const ended = await dataferry(bench, ['plan', bench.world.deaccessioned, '--json'], 'guest')
      const told = /deaccessioned: dataferry test See https:\/\/example.org\/new/.test(ended.text)
      return ended.code === 1 && told ? undefined : wrong('plan', ended)
    },
  },
  {
    name: 'get brings one file, and a range of it',
    run: async (bench) => {
      const [whole, part] = ['whole.txt', 'part.txt'].map((name) => join(bench.folder, name)) as [string, string]
      const one = await dataferry(bench, ['get', String(bench.world.plain), '-o', whole], 'guest')
      const range = await dataferry(bench, ['get', String(bench.world.plain), '--range', '7-15', '-o', part], 'guest')
      if (one.code !== 0 || range.code !== 0) return wrong('get', one.code === 0 ? range : one)
      const bytes = [await readFile(whole, 'utf8'), await readFile(part, 'utf8')]
      return bytes[0] === 'Hello, Dataverse!\n' && bytes[1] === 'Dataverse' ? undefined : `got ${bytes.join(' and ')}`
    },
  },
  {
    name: 'an embargoed file is denied to a guest',
    run: async (bench) => {
      const { embargoed } = bench.world
      if (embargoed === undefined) return undefined
      const ended = await dataferry(bench, ['get', String(embargoed), '-o', join(bench.folder, 'later.txt')], 'guest')
      return ended.code === 1 ? undefined : wrong('get', ended)
    },
  },
  {
    name: 'a guestbook is asked for by name, and its answers bring the file',
    run: async (bench) => {
      const { booked } = bench.world
      if (booked === undefined) return undefined
      const to = join(bench.folder, 'booked.txt')
      const without = await dataferry(bench, ['get', String(booked), '-o', to], 'guest')
      if (without.code !== 1 || !/name, email/.test(without.text)) return wrong('get without answers', without)
      const answers = join(bench.folder, 'answers.json')
      await writeFile(answers, '{"guestbookResponse": {"name": "dataferry", "email": "dataferry@example.org"}}')
      const ended = await dataferry(bench, ['get', String(booked), '-o', to, '--guestbook', answers], 'guest')
      return ended.code === 0 && (await readFile(to, 'utf8')) === 'booked' ? undefined : wrong('get', ended)
    },
  },
  {
    name: 'a restricted file is denied to a guest, in one sentence',
    run: async (bench) => {
      const to = join(bench.folder, 'secret.txt')
      const ended = await dataferry(bench, ['get', String(bench.world.restricted), '-o', to], 'guest')
      return ended.code === 1 && !/\n {4}at /.test(ended.text) ? undefined : wrong('get', ended)
    },
  },
]

async function batchIn(folder: string): Promise<string> {
  const names = await readdir(join(folder, '.dataferry'))
  return names.find((name) => name.startsWith('manifest') || name.includes('-20')) ?? names[0] ?? ''
}
