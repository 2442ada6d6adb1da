import { execFile, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
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
    // Its signatures differ from one another.
    const key = join(home.folder, 'ecdsa')
    await run('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', key])
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

  it.runIf(record === MIRROR.record)(
    'says what is missing, also after a prune, and after one that was killed',
    async () => {
      home.repository.publish(PID, (files) => [...files.slice(1), { label: 'secret', content: 's', restricted: true }])
      expect((await home.run()).code).toBe(1)
      const state = '.dataferry/mirrors/m/state.json'
      const pageOf = async () => {
        const files = await home.place.files('.dataferry/mirrors/m')
        const run = /"run":\s*"([^"]+)"/.exec(files['state.json'] ?? '')?.[1] ?? ''
        return { run, before: files['state.json'] ?? '', page: files[`runs/${run}/report.html`] ?? '' }
      }
      const { before, page } = await pageOf()
      expect(page).toMatch(/What is missing.*SOURCE_DENIED.*\/secret</s)
      const prune = async () => {
        const { code } = await home.cli(
          'mirror',
          'prune',
          'm',
          '--removed-for',
          '0d',
          '--yes',
          '--to',
          home.destination,
        )
        expect(code).toBe(0)
      }
      await prune()
      const pruned = await pageOf()
      expect(pruned.page).toMatch(/Nothing was asked of the server.*SOURCE_DENIED.*\/secret</s)
      expect((await home.cli('mirror', 'status', 'm', '--to', home.destination)).stdout).toContain('not complete')
      // As if it had been killed before its run was on record.
      await home.place.write(state, before)
      for (const name of Object.keys(await home.place.files(`.dataferry/mirrors/m/runs/${pruned.run}`))) {
        await home.place.remove(`.dataferry/mirrors/m/runs/${pruned.run}/${name}`)
      }
      await rm(join(home.destination, '.dataferry/mirrors/m/runs', pruned.run), { recursive: true, force: true })
      expect(await statement('--check')).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('changed') as string,
      })
      await prune()
      expect((await statement('--check')).code).toBe(0)
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
    expect((await home.cli('verify', home.destination)).code).toBe(0)
    expect((await statement()).stderr.replaceAll(/\s+/g, ' ')).toContain('its signature is gone. Sign it with --sign')
    expect((await statement('--check')).stdout).toContain('not signed')
  })

  it.each(['--zip', '--tar'])(
    'is one file with %s, and the commands that are printed unpack and check it',
    async (form) => {
      const audit = join(home.folder, 'an audit')
      const made = await statement('--to', audit, form, '--sign', await newKey(home.folder))
      expect(made.code, made.stderr).toBe(0)
      expect(await readdir(audit)).toHaveLength(1)
      const commands = commandsIn(made.stdout)
      expect(commands).toHaveLength(3)
      for (const command of commands) expect(await shell(command)).toMatchObject({ code: 0 })
      expect((await statement('--to', audit, form)).stderr).toContain('is another statement')
    },
  )

  it('has its signature checked by --check, which says what that proves', async () => {
    const said = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await statement('--check', ...args)
      return { code, text: (stdout + stderr).replaceAll(/\s+/g, ' ') }
    }
    const key = await newKey(home.folder)
    const other = await newKey(await mkdtemp(join(home.folder, 'other-')))
    const listOf = async (name: string, file: string, options = 'namespaces="dataferry" ') => {
      await writeFile(join(home.folder, name), `ada@example.edu ${options}${await readFile(`${file}.pub`, 'utf8')}`)
      return ['--allowed-signers', join(home.folder, name)] as const
    }
    const own = await listOf('own', key)
    expect(await said()).toMatchObject({
      code: 0,
      text: expect.stringContaining('The statement is not signed') as string,
    })
    expect(await said(...own)).toMatchObject({
      code: 1,
      text: expect.stringContaining('nobody has signed it') as string,
    })

    expect((await statement('--sign', key)).code).toBe(0)
    const { stdout } = await run('ssh-keygen', ['-l', '-f', key])
    const print = /SHA256:\S+/.exec(stdout)?.[0] ?? 'none'
    const intact = await said()
    expect(intact).toMatchObject({
      code: 0,
      text: expect.stringContaining('Whose key that is was not checked') as string,
    })
    expect(intact.text).toContain(print)
    const good = await said(...own)
    expect(good).toMatchObject({ code: 0, text: expect.stringContaining('as ada@example.edu signed it') as string })
    for (const [list, why] of [
      [await listOf('others', other), 'does not allow'],
      [await listOf('git', key, 'namespaces="git" '), 'allows for other purposes only, not for dataferry'],
      [await listOf('old', key, 'valid-before="20200101" '), 'allows at another time'],
    ] as const) {
      expect(await said(...list)).toMatchObject({ code: 1, text: expect.stringContaining(why) as string })
    }
    expect(await said('--allowed-signers', home.folder)).toMatchObject({ code: 2 })

    let signature = ''
    await change('records.sha256.sig', (text) => ((signature = text), 'no signature'))
    expect(await said()).toMatchObject({ code: 1, text: expect.stringContaining('is no SSH signature') as string })
    const foreign = await run('bash', ['-c', `ssh-keygen -Y sign -n dataferry -f '${other}' < '${key}'`])
    await change('records.sha256.sig', () => foreign.stdout)
    expect(await said()).toMatchObject({ code: 1, text: expect.stringContaining('does not fit the list') as string })
    await change('records.sha256.sig', () => signature)
    await change('allowed_signers', (text) => text.replace(/AAAA\S+/, 'AAAAnone'))
    expect(await said()).toMatchObject({ code: 1, text: expect.stringContaining('names another one') as string })
    await home.place.remove(await pathOf('records.sha256.sig'))
    expect(await said()).toMatchObject({ code: 1, text: expect.stringContaining('is missing, although') as string })
  })

  it.runIf(record === MIRROR.record)('is checked down to the records of each dataset', async () => {
    for (const [file, edit] of [
      [/\/files\/\d+\.json$/, (text: string) => text.replace('"current"', '"superseded"')],
      [/\/metadata\/.*\/dataset\.json$/, () => ''],
    ] as const) {
      const all = await home.place.files('.dataferry')
      const name = Object.keys(all).find((one) => file.test(one)) ?? ''
      await home.place.write(`.dataferry/${name}`, edit(all[name] ?? ''))
      const misfit = `changed  .dataferry/${name} of ${PID}`
      expect(await statement('--check')).toMatchObject({ code: 1, stdout: expect.stringContaining(misfit) as string })
      await home.place.remove(`.dataferry/${name}`)
      const missing = { code: 1, stdout: expect.stringContaining(misfit.replace('changed', 'missing')) as string }
      expect(await statement('--check')).toMatchObject(missing)
      for (const accepting of [[], ['--accept-changed']]) {
        expect(
          await statement('--sign', await newKey(await mkdtemp(join(home.folder, 'k-'))), ...accepting),
        ).toMatchObject(missing)
      }
      expect(Object.keys(await home.place.files('.dataferry')).join()).not.toContain('.sig')
      await home.place.write(`.dataferry/${name}`, all[name] ?? '')
      expect((await statement('--check')).code).toBe(0)
    }
  })

  const pathOf = async (file: string): Promise<string> => {
    const name = Object.keys(await home.place.files('.dataferry')).find((one) => one.endsWith(`/${file}`))
    if (name === undefined) throw new Error(`There is no ${file}.`)
    return `.dataferry/${name}`
  }
  const change = async (file: string, to: (before: string) => string): Promise<void> => {
    const path = await pathOf(file)
    const all = await home.place.files('.dataferry')
    await home.place.write(path, to(all[path.slice('.dataferry/'.length)] ?? ''))
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
    for (const file of [key, `${key}.pub`]) {
      await expect(sign(signing(file, { DISPLAY: ':0' }), inMemory(CONTENT))).rejects.toMatchObject({
        code: 'SIGNING_UNAVAILABLE',
        message: `Nothing could be signed with ${file}: it has a passphrase, and no ssh-agent has the key.`,
        advice: `Add the key to ssh-agent with \`ssh-add '${key}'\`, then run the same command again.`,
      })
    }
  })

  it('by a key that others may read, or a public one alone, is refused with what helps', async () => {
    const key = await newKey(folder)
    await chmod(key, 0o644)
    await expect(sign(signing(key), inMemory(CONTENT))).rejects.toMatchObject({
      message: `Nothing could be signed with ${key}: others may read the private key, so ssh-keygen does not use it.`,
      advice: `Keep it to yourself with \`chmod 600 '${key}'\`, then run the same command again.`,
    })
    await rm(key)
    await expect(sign(signing(`${key}.pub`), inMemory(CONTENT))).rejects.toMatchObject({
      message: expect.stringContaining('its private key is neither beside it nor in ssh-agent') as string,
      advice: expect.stringContaining('Give the file of the private key') as string,
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
      message: 'There is no ssh-keygen on this machine, so nothing can be signed, and no signature checked.',
    })
    for (const [file, why] of [
      ['/etc/passwd', 'ssh-keygen finds no key in it'],
      [folder, 'it is not a file'],
      [join(folder, 'none'), 'there is no such file'],
    ] as const) {
      await expect(checkKey(signing(file))).rejects.toMatchObject({
        code: 'ARGUMENT_INVALID',
        message: `--sign ${file}: ${why}. Give the file of a private SSH key.`,
      })
    }
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
