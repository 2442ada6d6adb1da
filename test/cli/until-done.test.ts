import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { untilDone } from '../../src/cli/until-done.ts'
import { Output } from '../../src/cli/terminal/output.ts'
import { load } from '../../src/config/config.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { batchOf, plannedBatch } from '../batch/fixtures.ts'
import { never } from '../contracts/sink-bytes.ts'
import { Recorder } from './recorder.ts'

const SERVER = 'https://demo.invalid'
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-until-'))
  const sink = diskSink(join(folder, 'here'))
  await plannedBatch(sink.records, [], batchOf('served', { servers: [SERVER] }))
  await sink.close()
})
afterAll(() => rm(folder, { recursive: true }))

const at = (name: string): string => pathToFileURL(join(folder, name)).href
const createdAt = '2026-01-01T00:00:00.000Z'

function context(): { readonly stderr: Recorder; readonly of: Parameters<typeof untilDone>[0] } {
  const stderr = new Recorder()
  const out = new Output({ stdout: new Recorder(), stderr, json: false, quiet: false, color: false, redraws: false })
  const config = load({ flags: { server: { flag: '--server', value: [SERVER] } }, env: {}, cwd: folder })
  return { stderr, of: { out, config } }
}

it('batches that cannot be brought to their end from here are left out, each with its reason, once', async () => {
  const ledger = new MemoryLedger()
  const batch = { destination: at('here'), servers: [SERVER], createdAt }
  await ledger.open({ ...batch, id: 'own', attached: true })
  await ledger.open({ ...batch, id: 'elsewhere', servers: [SERVER, 'https://other.invalid'] })
  await ledger.open({ ...batch, id: 'secret' })
  await ledger.detach('secret', [SERVER])
  await ledger.open({ ...batch, id: 'unreachable', destination: at('nowhere') })
  await ledger.open({ ...batch, id: 'held' }, { state: 'paused', reason: 'by hand' })
  await ledger.open({ ...batch, id: 'waiting' }, { state: 'waiting', reason: '' })
  await ledger.open({ ...batch, id: 'over' }, { state: 'finished', reason: '' })
  const { stderr, of } = context()
  await untilDone(of, { ledger }, undefined, never)
  expect([...stderr.lines].sort()).toEqual([
    'elsewhere is left out: it needs https://other.invalid, which is not given with --server.',
    'held is left out: it is paused (by hand).',
    'own is left out: it belongs to the command that began it.',
    `secret is left out: it needs a token for ${SERVER}, and this command has none.`,
    expect.stringMatching(/^unreachable is left out: its destination cannot be used from here: .*disk mounted\?$/),
    'waiting is left out: what is left of it waits for access, or for the end of an embargo.',
  ])
})

it('with --to only what goes there is waited for', async () => {
  const ledger = new MemoryLedger()
  await ledger.open({ id: 'served', destination: at('here'), servers: [SERVER], createdAt })
  const { stderr, of } = context()
  await untilDone(of, { ledger }, (url) => url === at('there'), never)
  expect(stderr.text).toBe(`served is left out: its destination ${join(folder, 'here')} is none of --to.\n`)
})

it('a batch that can be served is waited for, and what only its planning command can do is named once', async () => {
  const ledger = new MemoryLedger()
  await ledger.open({ id: 'served', destination: at('here'), servers: [SERVER], createdAt })
  const { stderr, of } = context()
  let ended = false
  const waiting = untilDone(of, { ledger }, undefined, never).then(() => (ended = true))
  await expect
    .poll(() => stderr.text)
    .toBe('served is not planned to its end: the command that enqueued it does that, or has to be given again.\n')
  expect(ended).toBe(false)
  await ledger.setState('served', 'finished')
  await waiting
  expect(stderr.lines).toHaveLength(1)
})
