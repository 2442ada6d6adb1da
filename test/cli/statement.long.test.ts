import { execFile, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import { inMemory } from '../../src/proof/pack/pack-entry.ts'
import { checkKey, sign, signerOf } from '../../src/proof/ssh-signature.ts'
import { bucketPlace } from '../mirror/place.ts'
import { mirrorHomes, type MirrorHome } from '../mirror/home.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'

const run = promisify(execFile)
const PID = 'doi:10.5072/FK2/GRIDS'

/** What a shell makes of a command that was printed. */
async function shell(command: string): Promise<{ readonly code: number; readonly text: string }> {
  return run('bash', ['-c', command]).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    (error: unknown) => {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, text: stdout + stderr }
    },
  )
}

async function newKey(folder: string, passphrase = ''): Promise<string> {
  const file = join(folder, `key ${passphrase}`)
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-C', 'somebody', '-f', file])
  return file
}

/** The commands that were printed: the lines that are indented. */
function commandsIn(stdout: string): readonly string[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => line.trim())
}

/** What is stated, how it is named, what its page says, and a record of it. */
const MIRROR = { verdict: 'The mirror has everything', record: 'changes.csv' }
const BATCH = { verdict: 'All 2 files are there.', record: 'failures.csv' }

function suite(open: () => Promise<MirrorHome>, { verdict, record }: typeof MIRROR): void {
  let home: MirrorHome
  let what = 'm'
  beforeEach(async () => {
    home = await open()
    home.repository.deposit(PID, [
      { label: 'a b.csv', directory: 'raw', content: 'a,b\n1,2\n' },
      { label: 'read.txt', content: 'Hello' },
    ])
    if (record === MIRROR.record) {
      expect((await home.cli('mirror', 'create', 'm', '--query', '*', '--to', home.destination)).code).toBe(0)
      expect((await home.run()).code).toBe(0)
      return
    }
    await writeFile(join(home.folder, 'list.txt'), PID)
    const list = join(home.folder, 'list.txt')
    const { code, stdout } = await home.cli('run', list, '--server', home.server.url, '--to', home.destination)
    expect(code).toBe(0)
    what = /records\s.*\/([^/\s]+)$/m.exec(stdout)?.[1] ?? ''
  })
  afterEach(() => home.close())
  const statement = (...args: readonly string[]) =>
    home.cli('export', 'statement', what, '--from', home.destination, ...args)

  it('is signed by a key, copied with its records, and checked by the commands that are printed', async () => {
    const key = await newKey(home.folder)
    const audit = join(home.folder, 'the audit')
    const made = await statement('--to', audit, '--sign', key)
    expect(made.code, made.stderr).toBe(0)
    const commands = commandsIn(made.stdout)
    expect(commands).toHaveLength(2)
    for (const command of commands) expect(await shell(command)).toMatchObject({ code: 0 })
    const [batch = ''] = await readdir(audit)
    const page = await readFile(join(audit, batch, 'report.html'), 'utf8')
    expect(page).toContain(verdict)
    // The same again changes nothing.
    expect((await statement('--to', audit, '--sign', key)).code).toBe(0)

    await appendFile(join(audit, batch, 'report.html'), ' ')
    expect((await shell(commands[0] ?? '')).text).toContain('report.html: FAILED')
    await appendFile(join(audit, batch, 'records.sha256'), `${'0'.repeat(64)}  forged\n`)
    expect(await shell(commands[1] ?? '')).toMatchObject({
      code: 255,
      text: expect.stringContaining('incorrect') as string,
    })
    const other = await statement('--to', audit, '--sign', key)
    expect(other.code).toBe(3)
    expect(other.stderr).toContain('is there, and is another statement')
  })

  it.runIf(record === MIRROR.record)(
    'leads to every file: a dataset names the digest of the record of its files',
    async () => {
      home.repository.publish(PID, (files) => files.slice(1))
      for (const act of [
        ['run', 'm'],
        ['prune', 'm', '--removed-for', '0d', '--yes'],
      ]) {
        expect((await home.cli('mirror', ...act, '--to', home.destination)).code).toBe(0)
        const records = await home.place.files('.dataferry/mirrors/m/files')
        const [dataset] = await home.datasets('current')
        const text = records[`${dataset?.id ?? 0}.json`] ?? ''
        expect(dataset?.filesSha256).toBe(hash('sha256', text))
        expect(text).toContain('"md5"')
      }
    },
  )

  it('says when the files were last verified, and keeps its signature while nothing changes', async () => {
    expect((await home.cli('verify', home.destination)).code).toBe(0)
    expect((await statement('--sign', await newKey(home.folder))).code).toBe(0)
    expect((await statement()).code).toBe(0)
    const records = await home.place.files('.dataferry')
    const page = Object.entries(records).find(([name]) => name.endsWith('/report.html'))?.[1]
    expect(page).toMatch(/Last verified.*\d files of the destination read.*stated here, 0 missing and 0 changed/)
    expect(Object.keys(records).some((name) => name.endsWith('/records.sha256.sig'))).toBe(true)
    expect((await statement('--check')).code).toBe(0)
  })

  it('is one file with --zip', async () => {
    const audit = join(home.folder, 'audit')
    expect((await statement('--to', audit, '--zip')).code).toBe(0)
    const [file = ''] = await readdir(audit)
    const { stdout } = await run('python3', ['-m', 'zipfile', '-l', join(audit, file)])
    expect(stdout).toContain('records.sha256')
    expect((await statement('--to', audit, '--zip')).stderr).toContain('is another statement')
  })

  const change = async (file: string, to: (before: string) => string): Promise<void> => {
    const all = await home.place.files('.dataferry')
    const name = Object.keys(all).find((one) => one.endsWith(`/${file}`) && all[one] !== undefined)
    if (name === undefined) throw new Error(`There is no ${file}.`)
    await home.place.write(`.dataferry/${name}`, to(all[name] ?? ''))
  }

  it('is not made, signed or copied of records that were changed, unless somebody accepts that', async () => {
    expect((await statement('--check')).stdout).toMatch(/\d+\s+records\s+as\s+stated/)
    await change(record, () => 'nothing happened')
    const checked = await statement('--check')
    expect(checked.code).toBe(1)
    expect(checked.stdout).toContain(`changed  ${record}`)
    const audit = join(home.folder, 'audit')
    const signing = ['--to', audit, '--sign', await newKey(home.folder)]
    const refused = await statement(...signing)
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain(`changed  ${record}`)
    expect(refused.stdout.replaceAll(/\s+/g, ' ')).toContain('nothing was made, signed or copied')
    expect(Object.keys(await home.place.files('.dataferry')).join('\n')).not.toContain('.sig')
    await expect(readdir(audit)).rejects.toThrow()
    const again = await statement(...signing, '--accept-changed')
    expect(again.code).toBe(0)
    expect(again.stderr.replaceAll(/\s+/g, ' ')).toContain(`(${record}): it is made again`)
    expect((await statement('--check')).code).toBe(0)
  })

  it.runIf(record === BATCH.record)('is refused for any record that was touched', async () => {
    // In a bucket the plan and the manifest are in parts.
    const logs = home.destination.startsWith('s3:') ? [] : ['items.ndjson', 'manifest']
    for (const name of ['md5sums.txt', ...logs]) {
      const before = (await statement('--check')).code
      expect(before).toBe(0)
      let was = ''
      await change(name, (text) => (was = text) && `${text.replace(/^[0-9a-f]{8}/, '00000000')}#\n`)
      const refused = await statement('--sign', await newKey(join(await mkdtemp(join(home.folder, 'keys-')))))
      expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining(`changed  ${name}`) as string })
      await change(name, () => was)
    }
    await change('report.json', () => '{}')
    expect(await statement()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('changed  report.json') as string,
    })
    expect((await statement('--accept-changed')).stderr).toContain('report.json is damaged')
  })
}

describe.each([MIRROR, BATCH])('a statement on a disk: $verdict', (kind) => {
  suite(mirrorHomes(), kind)
})

await describeWithOneS3('a statement in a bucket', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())
  suite(
    mirrorHomes(() => bucketPlace(server)),
    BATCH,
  )
})

describe('a signature', () => {
  const signal = new AbortController().signal
  const CONTENT = Buffer.from('what is signed\n')
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'df-sign-'))
  })
  afterEach(() => rm(folder, { recursive: true }))
  const signing = (keyFile: string, more: Readonly<Record<string, string>> = {}) => ({
    keyFile,
    environment: { PATH: process.env['PATH'], HOME: folder, ...more },
    signal,
  })

  it('says whose it is', async () => {
    const key = await newKey(folder)
    const signature = await sign(signing(key), inMemory(CONTENT))
    expect(await readFile(`${key}.pub`, 'utf8')).toContain(`${signerOf(signature) ?? 'nobody'} `)
  })

  it('by a key with a passphrase is refused in one sentence, and nobody is asked for it', async () => {
    const key = await newKey(folder, 'secret')
    await checkKey(signing(key))
    await expect(sign(signing(key, { DISPLAY: ':0' }), inMemory(CONTENT))).rejects.toMatchObject({
      code: 'SIGNING_UNAVAILABLE',
      message: `Nothing could be signed with ${key}: it has a passphrase, and no ssh-agent has the key.`,
    })
  })

  it('by a key that an agent has needs only its public file', async () => {
    const key = await newKey(folder, '')
    const socket = join(folder, 'agent')
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(agent.stdout, 'data')
      await run('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
      await rm(key)
      const signature = await sign(signing(`${key}.pub`, { SSH_AUTH_SOCK: socket }), inMemory(CONTENT))
      expect(signature).toContain('BEGIN SSH SIGNATURE')
      await expect(sign(signing(`${key}.pub`), inMemory(CONTENT))).rejects.toMatchObject({
        code: 'SIGNING_UNAVAILABLE',
      })
    } finally {
      const ended = once(agent, 'exit')
      agent.kill()
      await ended
    }
  })

  it('is refused at once where there is no ssh-keygen, and by what is no key', async () => {
    const key = await newKey(folder)
    const nowhere = { ...signing(key), environment: { PATH: folder } }
    await expect(checkKey(nowhere)).rejects.toMatchObject({
      code: 'SIGNING_UNAVAILABLE',
      message: 'The statement cannot be signed: there is no ssh-keygen on this machine.',
    })
    await expect(checkKey(signing('/etc/passwd'))).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
    await expect(checkKey(signing(join(folder, 'none')))).rejects.toThrow(/No such file/)
  })

  it('is none of what could not be read to its end', async () => {
    const key = await newKey(folder)
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(CONTENT)
      throw new DataferryError('SINK_FAILED', 'The disk is gone.')
    }
    await expect(sign(signing(key), broken())).rejects.toMatchObject({ code: 'SINK_FAILED' })
  })
})
