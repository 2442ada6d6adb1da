import { fork } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Order } from './fuzz/child.ts'
import { TARGETS } from './fuzz/target.ts'

// `npm run fuzz`: gives parts of the program what nobody expects. See CONTRIBUTING.md.

/** A case that takes longer than this hangs. */
const STALLED_MS = 60_000
const LOOK_EVERY_MS = 1_000

const resultSchema = z.object({
  tried: z.number(),
  broken: z.object({ number: z.number(), why: z.string(), material: z.string() }).optional(),
})

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
  },
})
const known = Object.keys(TARGETS)
const names = positionals.length > 0 ? positionals : known
const [seed, from, count, seconds] = [
  values.seed ?? Date.now() % 1_000_000,
  values.from,
  values.count,
  values.seconds,
].map(Number)
if (
  names.some((name) => !known.includes(name)) ||
  [seed, from, count, seconds].some((number) => !Number.isInteger(number))
) {
  process.stderr.write(
    `usage: npm run fuzz -- [${known.join('] [')}] [--count N] [--seconds S] [--seed N] [--from N]\n`,
  )
  process.exitCode = 2
} else {
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'))
  process.stderr.write(`fuzz: seed ${seed}\n`)
  for (const name of names) {
    const order = {
      name,
      progress: join(folder, name),
      seed: seed ?? 0,
      from: from ?? 0,
      count: count ?? 0,
      seconds: seconds ?? 0,
    }
    if (!(await fuzz(order))) process.exitCode = 1
  }
  await rm(folder, { recursive: true })
}

/** Tries one target in a process of its own. @returns whether it kept its promises */
async function fuzz(order: Order): Promise<boolean> {
  const { name } = order
  const begun = Date.now()
  const result = resultSchema.safeParse(await outcomeOf(order)).data
  const again = (number: number): string => `npm run fuzz -- ${name} --seed ${order.seed} --from ${number} --count 1`
  if (!result) {
    const number = await caseAtHand(order)
    process.stderr.write(`fuzz: ${name}: case ${number} hangs, or ends the process: ${again(number)}\n`)
    return false
  }
  const { tried, broken } = result
  process.stdout.write(
    `${JSON.stringify({ target: name, seed: order.seed, cases: tried, seconds: (Date.now() - begun) / 1000 })}\n`,
  )
  if (!broken) return true
  const file = join(tmpdir(), `fuzz-${name}-${order.seed}-${broken.number}`)
  await writeFile(file, Buffer.from(broken.material, 'base64'))
  process.stderr.write(
    `fuzz: ${name}: case ${broken.number}: ${broken.why}\n  made of: ${file}\n  again: ${again(broken.number)}\n`,
  )
  return false
}

/** What the child says at its end; undefined when it says nothing, or stays too long at one case. */
async function outcomeOf(order: Order): Promise<unknown> {
  const child = fork(new URL('./fuzz/child.ts', import.meta.url), [JSON.stringify(order)])
  let said: unknown
  child.on('message', (message) => (said = message))
  let seen = { number: -1, since: Date.now() }
  const watch = setInterval(() => {
    void caseAtHand(order).then((number) => {
      if (number !== seen.number) seen = { number, since: Date.now() }
      else if (Date.now() - seen.since > STALLED_MS) child.kill('SIGKILL')
    })
  }, LOOK_EVERY_MS)
  await new Promise((resolve) => child.once('exit', resolve))
  clearInterval(watch)
  return said
}

async function caseAtHand({ progress }: Order): Promise<number> {
  return Number.parseInt(await readFile(progress, 'utf8').catch(() => '-1'), 10)
}
