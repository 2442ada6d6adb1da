import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { credentialPath, UNIT_MARK, unitText, type UnitFacts } from '../../src/cli/serve/unit.ts'
import { makeHome, records, type Home } from '../e2e/cli.ts'

const hasVerify = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasVerify) {
  const loud = 'systemd-analyze is not installed (package systemd): units are not verified.'
  if (process.env['CI']) throw new Error(loud)
  process.stderr.write(`SKIPPED: ${loud}\n`)
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'df-unit-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const FACTS: UnitFacts = {
  words: [
    process.execPath,
    '/opt/data ferry/main.js',
    'serve',
    '--contact',
    '100% "me" $HOME',
    '--token-file',
    credentialPath('token'),
  ],
  of: 'machine',
  user: 'daemon',
  workingDirectory: '/srv',
  writable: ['/srv/mirror', '/srv/with space'],
  stateDirectory: 'dataferry',
  credentials: [{ name: 'token', file: '/etc/dataferry/token' }],
  environmentFile: '/etc/dataferry/environment',
}

function verify(text: string, ...flags: readonly string[]): string {
  const path = join(folder, 'dataferry.service')
  writeFileSync(path, text)
  // The manager of a user looks for this, although it is not used.
  const env = { ...process.env, XDG_RUNTIME_DIR: folder }
  const { status, stderr } = spawnSync('systemd-analyze', [...flags, 'verify', path], { encoding: 'utf8', env })
  // Other units of the machine may have faults of their own.
  const ours = stderr.split('\n').filter((line) => line.includes('dataferry'))
  return `${status === 0 ? '' : 'failed'}${ours.join('\n')}`
}

it.runIf(hasVerify).each(['machine', 'user'] as const)('systemd understands every line of a unit of the %s', (of) => {
  const text = unitText(of === 'machine' ? FACTS : { ...FACTS, of, user: undefined })
  expect(verify(text, ...(of === 'user' ? ['--user'] : []))).toBe('')
  expect(verify(text.replace('ProtectSystem=strict', 'ProtectSystm=strict'))).toContain('ProtectSystm')
})

it('is sandboxed, and holds the words as they were given', () => {
  const lines = unitText(FACTS).split('\n')
  for (const line of ['ProtectSystem=strict', 'NoNewPrivileges=yes', 'User=daemon', 'ReadWritePaths=/srv/mirror']) {
    expect(lines).toContain(line)
  }
  expect(lines).toContain('ReadWritePaths="/srv/with space"')
  expect(lines).toContain('LoadCredential=token:/etc/dataferry/token')
  expect(lines).toContain(
    `ExecStart=${process.execPath} "/opt/data ferry/main.js" serve --contact "100%% \\"me\\" $$HOME" --token-file \${CREDENTIALS_DIRECTORY}/token`,
  )
})

describe('serve install', () => {
  let home: Home
  beforeAll(async () => {
    home = await makeHome()
  })
  afterAll(() => home[Symbol.asyncDispose]())
  const install = (...more: readonly string[]) =>
    home.run(['serve', 'install', '--systemd', '--user', '--server', 'https://a.example.org', ...more], {
      DATAFERRY_JOBS: '2',
      DATAVERSE_API_TOKEN: '12345678-1234-1234-1234-123456789abc',
      REDIS_URL: 'redis://:hidden@127.0.0.1:6379',
    })

  it('writes a unit with the settings of flags and environment, but for secrets, and says how to enable it', async () => {
    const token = join(home.folder, 'token')
    writeFileSync(token, 'abc', { mode: 0o600 })
    const { code, stdout, stderr } = await install(
      '--to',
      './kept',
      '--token-file',
      token,
      '--port',
      '9000',
      '--viewer-token-file',
      token,
    )
    expect(stderr).toContain('put DATAVERSE_API_TOKEN, REDIS_URL into')
    expect(code).toBe(0)
    expect(stdout).toContain('systemctl --user daemon-reload && systemctl --user enable --now dataferry.service')
    const path = join(home.folder, '.config/systemd/user/dataferry.service')
    const text = readFileSync(path, 'utf8')
    expect(text).toContain(' --server https://a.example.org ')
    expect(text).toContain(' --jobs 2 ')
    expect(text).toContain(
      ' --port 9000 --token-file ${CREDENTIALS_DIRECTORY}/token --viewer-token-file ${CREDENTIALS_DIRECTORY}/viewer-token ',
    )
    for (const name of ['token', 'viewer-token']) expect(text).toContain(`LoadCredential=${name}:${token}`)
    expect(text).toContain(`ReadWritePaths=${join(home.folder, 'kept')}`)
    expect(text).toContain(`ReadWritePaths=${join(home.folder, 'state')}`)
    expect(text).not.toMatch(/hidden|123456789abc|DATAVERSE_API_TOKEN/)
    if (hasVerify) expect(verify(text, '--user')).toBe('')
    expect(records((await install('--json')).stdout)).toMatchObject([{ event: 'unit', path }])
  })

  it('names every variable that holds a secret which the service needs', async () => {
    const config = join(home.folder, 'dataferry.config.json')
    const mail = { smtp: 'smtps://m.example.org', passwordEnv: 'MAIL_PASSWORD', from: 'a@b.org', to: ['a@b.org'] }
    const servers = [{ url: 'https://a.example.org', tokenEnv: 'TOKEN_OF_A' }]
    writeFileSync(config, JSON.stringify({ servers, notify: { mail } }))
    const { stderr } = await home.run(['serve', 'install', '--systemd', '--user'], { TOKEN_OF_A: 'abc' })
    rmSync(config)
    expect(stderr).toContain('put TOKEN_OF_A, MAIL_PASSWORD into')
  })

  it('may write to what scheduled commands name, and to no folder that nobody named', async () => {
    mkdirSync(join(home.folder, 'told'))
    await home.run(['schedule', 'add', 'v', '--cron', '@daily', '--', 'verify', './vv', '--report', './told/v.csv'])
    const { stdout } = await home.run(['serve', 'install', '--systemd', '--user', '--json'])
    expect(records(stdout)).toMatchObject([{ writable: ['state', 'vv', 'told'].map((one) => join(home.folder, one)) }])
  })

  it('leaves a unit alone that somebody else wrote', async () => {
    const path = join(home.folder, '.config/systemd/user/dataferry.service')
    expect(readFileSync(path, 'utf8').startsWith(UNIT_MARK)).toBe(true)
    writeFileSync(path, '[Service]\n')
    const { code, stderr } = await install()
    expect([code, stderr]).toEqual([2, expect.stringContaining('is not dataferry’s')])
    expect(readFileSync(path, 'utf8')).toBe('[Service]\n')
  })
})
