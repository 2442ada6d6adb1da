import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeHome } from '../e2e/cli.ts'

it('a manifest on standard input that the temporary folder has no room for leaves nothing behind in it', async () => {
  await using home = await makeHome()
  const temporary = join(home.folder, 'tmp')
  await mkdir(temporary)
  const env = { TMPDIR: temporary, DATAVERSE_SERVER: 'http://127.0.0.1:9' }
  const limited = ['sh', '-c', 'ulimit -f 64; exec "$@"', 'sh']
  const { code, stderr } = await home.start(['plan', '-'], env, '42\n'.repeat(100_000), limited).ended
  expect(stderr).toMatch(/^dataferry: Cannot copy the manifest to the temporary folder .*: EFBIG/)
  expect(stderr).not.toMatch(/\n {4}at |bug in dataferry/)
  expect(code).toBe(3)
  expect((await readdir(temporary)).filter((name) => name.startsWith('dataferry-'))).toEqual([])
})
