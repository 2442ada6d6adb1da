import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeHome } from '../e2e/cli.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const PID = 'doi:10.5072/FK2/A'

const homeOf = mirrorHomes()

describe('a mirror in a folder', () => {
  let home: MirrorHome
  beforeEach(async () => {
    home = await homeOf()
  })
  afterEach(() => home.close())

  it.each([
    ['the folder was moved', (elsewhere: string) => rename(home.destination, elsewhere)],
    [
      'the folder was moved and the one of its batch was lost',
      async (elsewhere: string) => {
        await rename(home.destination, elsewhere)
        const [batch = 'none'] = (await readdir(join(elsewhere, '.dataferry'))).filter((name) => /^mirror-m/.test(name))
        await rm(join(elsewhere, '.dataferry', batch), { recursive: true })
      },
    ],
  ])('goes on where a run was killed while it fetched, and %s', async (_, happen) => {
    const files = Array.from({ length: 12 }, (__, n) => ({ label: `f${n}`, content: `content ${n}` }))
    home.repository.deposit(PID, files)
    await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'root')
    await killedWhileFetching()
    const elsewhere = join(home.folder, 'elsewhere')
    await happen(elsewhere)
    const { code, stderr } = await home.cli('mirror', 'run', 'm', '--to', elsewhere)
    expect([code, stderr]).toEqual([0, expect.any(String)])
    expect(await readdir(join(elsewhere, 'doi-10.5072-FK2-A'))).toHaveLength(files.length)
    const verified = await home.cli('verify', elsewhere)
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('13 right')])
  })

  /** The fifth file never comes. */
  async function killedWhileFetching(): Promise<void> {
    await using shell = await makeHome()
    let asked = 0
    const reached = new Promise<void>((resolve) => {
      const when = ({ url }: { readonly url: string }): boolean => {
        if (!url.includes('/access/datafile') || ++asked < 5) return false
        resolve()
        return true
      }
      home.server.fault({ when, steps: [{ kind: 'stall', after: 1 }], repeat: true })
    })
    const { child, ended } = shell.start(['mirror', 'run', 'm', '--to', home.destination], home.env)
    await reached
    child.kill('SIGKILL')
    await ended
    home.server.clearFaults()
  }
})
