import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openBag, storedBag, type BagSource } from '../../src/proof/bagit/bag-source.ts'
import { checkBag, type BagFinding } from '../../src/proof/bagit/check-bag.ts'
import type { Serialization } from '../../src/proof/pack/pack-entry.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import { nodeProgram } from '../node-program.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import { packPath } from '../../src/proof/pack/write-pack.ts'

const WRITER = fileURLToPath(new URL('bag-writer.child.ts', import.meta.url))
const KILLS = 4
const FORMS = ['folder', 'zip', 'tar'] as const
const { signal } = new AbortController()

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-bag-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

interface Place {
  readonly url: string
  readonly endpoint?: string
  /** The bag that shows under its name; undefined: none does. */
  readonly shown: (form: Serialization) => Promise<BagSource | undefined>
}

/** Runs a writer, killed after a time in which it may have ended. @returns how long it was at work, and whether it had ended */
async function write({ url, endpoint = '' }: Place, form: Serialization, killAfterMs?: number): Promise<number> {
  const child = spawn(process.execPath, [...nodeProgram(WRITER), url, form, endpoint], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  })
  const exit = once(child, 'exit')
  await once(child.stdout, 'data')
  const begun = performance.now()
  if (killAfterMs === undefined) {
    expect(await exit).toEqual([0, null])
    return performance.now() - begun
  }
  child.stdout.resume()
  await Promise.race([setTimeout(killAfterMs), exit])
  child.kill('SIGKILL')
  await exit
  return performance.now() - begun
}

async function wrongIn(source: BagSource): Promise<readonly BagFinding[]> {
  const findings: BagFinding[] = []
  await using bag = source
  await checkBag(bag, { signal, onFinding: (finding) => findings.push(finding) })
  return findings
}

/** Kills at random times of a whole run, then makes it once more. */
async function survives(place: Place, form: Serialization, empty: () => Promise<void>): Promise<void> {
  const whole = await write(place, form)
  let killed = 0
  for (let round = 0; round < KILLS; round++) {
    await empty()
    for (let tries = 0; tries < 2; tries++) {
      await write(place, form, Math.random() * whole)
      const shown = await place.shown(form)
      if (!shown) killed++
      else expect(await wrongIn(shown)).toEqual([])
    }
    await write(place, form)
    const shown = await place.shown(form)
    expect(shown && (await wrongIn(shown))).toEqual([])
  }
  expect(killed).toBeGreaterThan(0)
}

describe('on a disk', () => {
  it.each(FORMS)('a bag that is a %s and is killed at any moment is never half under its name', async (form) => {
    const bags = join(folder, 'bags')
    const place: Place = {
      url: bags,
      shown: async () => {
        const path = join(bags, packPath('bag', form))
        const isThere = await access(path).then(
          () => true,
          () => false,
        )
        return isThere ? openBag(path) : undefined
      },
    }
    await survives(place, form, () => rm(bags, { recursive: true, force: true }))
    // Nothing that was killed is left.
    expect(await readdir(bags)).toEqual([packPath('bag', form)])
  })
})

await describeWithOneS3('In a store', (kind) => {
  let s3: S3Server
  beforeAll(async () => {
    s3 = await kind.start()
  })
  afterAll(() => s3.stop())

  it.each(FORMS)('a bag that is a %s and is killed at any moment is never half under its name', async (form) => {
    const { endpoint } = s3
    const url = `s3://${await s3.bucket()}/bags`
    const open = (at = url) => openSink(at, { s3: { endpoint, forcePathStyle: true } })
    const sink = await open()
    try {
      const place: Place = {
        url,
        endpoint,
        shown: async () => {
          const path = form === 'folder' ? 'bag/bagit.txt' : packPath('bag', form)
          if (!(await sink.stat(path, 'look-0', signal))) return undefined
          if (form === 'folder') return storedBag(await open(`${url}/bag`), signal)
          const file = join(folder, `bag.${form}`)
          await writeFile(file, await sink.read(path, signal))
          return openBag(file)
        },
      }
      await survives(place, form, async () => {
        for await (const { path } of sink.list(signal)) await sink.remove(path)
      })
      expect(await sink.sweep(signal)).toBe(0)
    } finally {
      await sink.close()
    }
  })
})
