import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { runInProcess } from '../cli/in-process.ts'
import { mirrorHomes, TOKEN, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'

const homeOf = mirrorHomes()
let home: MirrorHome
afterEach(() => home.close())

it('the token of a mirror is that of its server, which need not be named again: from the environment, or a token file', async () => {
  home = await homeOf()
  const secret = { label: 'secret', content: 'secret', restricted: true }
  home.repository.deposit(A, [secret], { collection: 'climate' })
  const created = await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'climate')
  expect(created.code).toBe(0)
  const bare = Object.fromEntries(Object.entries(home.env).filter(([name]) => name !== 'DATAVERSE_SERVER'))
  const run = (
    env: Readonly<Record<string, string>>,
    ...flags: readonly string[]
  ): Promise<{ readonly code: number }> =>
    runInProcess(['mirror', 'run', 'm', '--to', home.destination, '--full', ...flags], { cwd: home.folder, env })
  expect((await run(bare)).code).toBe(1)
  // One that stands beside another server is for that one alone.
  const elsewhere = { ...bare, DATAVERSE_API_TOKEN: TOKEN, DATAVERSE_SERVER: 'https://example.org' }
  expect((await run(elsewhere)).code).toBe(1)
  expect(home.server.requests.some(({ hasToken }) => hasToken)).toBe(false)
  expect((await run({ ...bare, DATAVERSE_API_TOKEN: TOKEN })).code).toBe(0)
  expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/secret': 'secret' })
  home.repository.publish(A, (files) => [...files, { ...secret, label: 'more' }])
  await writeFile(join(home.folder, 'token'), TOKEN, { mode: 0o600 })
  expect((await run(bare, '--token-file', 'token')).code).toBe(0)
  expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/more': 'secret' })
})
