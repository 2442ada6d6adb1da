import { access, readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { PROGRAMS } from '../../scripts/bundle.mjs'
import { VERBS } from '../../src/cli/commands.ts'
import { parserFor, readArguments } from '../../src/cli/parser.ts'
import { aboutSetting } from '../../src/config/about-settings.ts'

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

const serviceSchema = z.looseObject({
  image: z.string(),
  build: z.unknown().optional(),
  user: z.string().optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  command: z.union([z.string(), z.array(z.string())]).optional(),
  entrypoint: z.array(z.string()).optional(),
  volumes: z.array(z.string()).default([]),
  secrets: z.array(z.string()).default([]),
  depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
  healthcheck: z.looseObject({ test: z.array(z.string()).optional(), disable: z.boolean().optional() }).optional(),
  restart: z.string().optional(),
  ports: z.unknown().optional(),
})
const fileSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()).default({}),
  secrets: z.record(z.string(), z.unknown()).default({}),
})
const overriding = serviceSchema.extend({ image: z.string().optional(), command: z.array(z.string()).optional() })
const overrideSchema = fileSchema.extend({ services: z.record(z.string(), overriding) })
const text = await read('docker-compose.yml')
const compose = fileSchema.parse(parse(text, { merge: true }))
const { services } = compose
const all = Object.entries(services)
const dockerfile = await read('Dockerfile')
/** Its lines, each with those that continue it. */
const instructions = dockerfile
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line !== '')
/** The instructions of each stage, by its name. */
const stages = new Map<string, string[]>()
for (const line of instructions) {
  const name = /^FROM \S+ AS (\S+)$/.exec(line)?.[1]
  if (name !== undefined) stages.set(name, [])
  else [...stages.values()].at(-1)?.push(line)
}
const page = await read('docs/docker.md')
/** Files that the page tells people to lay over this one. */
const overrides = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => ({
  block,
  ...overrideSchema.parse(parse(block, { merge: true })),
}))
const PINNED = /^[\w./-]+:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}$/

it.each(all)('%s can change nothing but its volumes, and gain no right', (_, service) => {
  expect(service).toMatchObject({
    read_only: true,
    tmpfs: ['/tmp'],
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
  })
  // What is reached from outside is nobody's but the user's to decide.
  expect(service.ports).toBeUndefined()
})

it('images of others are pinned by a digest, beside a version for people', () => {
  for (const { image, build } of Object.values(services)) if (build === undefined) expect(image).toMatch(PINNED)
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)
  expect(new Set(bases)).toEqual(new Set(['${NODE_IMAGE}']))
  expect(/^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile)?.[1]).toMatch(PINNED)
})

it('what builds the program is in the image that builds it, and is not ignored', async () => {
  const [, copied = ''] = /^COPY (scripts\/.*) scripts\/$/m.exec(dockerfile) ?? []
  const scripts = copied.split(' ')
  const ignore = await read('.dockerignore')
  for (const script of scripts) {
    expect(ignore).toContain(`!${script}`)
    for (const [, name = ''] of (await read(script)).matchAll(/from '\.\/(.+)'/g))
      expect(scripts).toContain(`scripts/${name}`)
  }
})

it('the packages of the stand-in are in its image', async () => {
  const folder = new URL('../fakes/dataverse/', import.meta.url)
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')))
  const imported = texts.flatMap((text) =>
    [...text.matchAll(/^import .*from '(?!node:|\.)([\w-]+)/gm)].map(([, name]) => name),
  )
  const copied = [...dockerfile.matchAll(/\/app\/node_modules\/(\S+) /g)].map(([, name]) => name)
  expect(new Set(copied)).toEqual(new Set(imported))
})

it('Redis runs as its own user, with a password that only the user knows and no argument shows', () => {
  const { redis } = services
  expect(redis?.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  const uses = [...text.matchAll(/REDIS_PASSWORD(?!=)/g)]
  const required = [...text.matchAll(/\$\{REDIS_PASSWORD:\?make one as the head of docker-compose\.yml says\}/g)]
  expect(required).toHaveLength(uses.length)
  for (const [name, { environment }] of all) {
    if ('REDIS_URL' in environment) expect(environment['REDIS_URL'], name).toMatch(/^redis:\/\/:\$\{REDIS_PASSWORD:\?/)
  }
  expect(String(redis?.command)).toContain('requirepass $$REDISCLI_AUTH\n')
  expect(String(redis?.command)).not.toContain('REDIS_PASSWORD')
  expect(redis?.environment['REDISCLI_AUTH']).toMatch(/^\$\{REDIS_PASSWORD:\?/)
})

it('`run` lets all workers take part, by the variable of --share', () => {
  const [variable = ''] = aboutSetting('share').env
  expect(services['dataferry']?.environment[variable]).toBe('yes')
  expect(services['worker']?.environment).not.toHaveProperty(variable)
})

it('every variable that it reads is explained', () => {
  for (const [, name = ''] of text.matchAll(/\$\{(\w+)[:}]/g))
    expect(`${page}\n${name}`).toMatch(new RegExp(`\\b${name}\\b[^]*\n${name}$`))
})

const isOurs = ({ image }: { readonly image: string }): boolean => image === 'dataferry'

/** Commands that the files and the page tell a container to run. */
const commands = [
  ...all.flatMap(([name, { command, entrypoint, ...service }]) =>
    isOurs(service) && entrypoint === undefined && Array.isArray(command) ? [[name, command] as const] : [],
  ),
  ...[...`${text}${page}`.matchAll(/docker compose (?:run --rm(?: -T)?|exec serve) dataferry (?!…)(.*)/g)].map(
    ([line, words = '']) => [line, wordsOf(words)] as const,
  ),
  ...overrides.flatMap((override) =>
    Object.entries(override.services).flatMap(([name, { command }]) =>
      command ? [[`${name} of the page`, command] as const] : [],
    ),
  ),
]

/** As a shell splits them, up to a comment or a redirection. */
function wordsOf(line: string): readonly string[] {
  const [own = ''] = line.split(/ +(?:#|<|`)|`| {2}\(/)
  return [...own.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  )
}

it.each(commands)('what a container is told to run is a command line of dataferry: %s', async (_, words) => {
  await understand(words)
})

async function understand([name = '', ...rest]: readonly string[]): Promise<void> {
  const verb = VERBS.find((one) => one.name === name)
  if (!verb) throw new Error(`There is no command ${name}.`)
  const command = await verb.load()
  readArguments(parserFor(verb.name, verb.summary, command), command, rest)
  if (name === 'schedule' && rest.includes('--')) await understand(rest.slice(rest.indexOf('--') + 1))
}

it('the page, the file and the Dockerfile show commands at all', () => {
  expect(commands.length).toBeGreaterThan(15)
  expect(commands.map(([, [verb]]) => verb)).toEqual(
    expect.arrayContaining(['work', 'serve', 'run', 'schedule', 'dashboard']),
  )
})

it('every volume, secret and service that is named is declared, and the other way round', () => {
  const named = (list: readonly string[]): Set<string> => new Set(list)
  const volumes = all.flatMap(([, { volumes: some }]) =>
    some.flatMap((one) => /^(?:\$\{\w+:-)?(\w+)\}?:\//.exec(one)?.[1] ?? []),
  )
  expect(named(volumes)).toEqual(named(Object.keys(compose.volumes)))
  expect(named(all.flatMap(([, { secrets }]) => secrets))).toEqual(named(Object.keys(compose.secrets)))
  for (const [name, { depends_on: others }] of all)
    for (const other of Array.isArray(others) ? others : Object.keys(others))
      expect(services, name).toHaveProperty(other)
  expect(overrides).not.toEqual([])
  for (const { block, ...override } of overrides) {
    const used = Object.values(override.services).flatMap(({ secrets }) => secrets)
    expect(named(used)).toEqual(named(Object.keys(override.secrets)))
    for (const name of Object.keys(override.services)) expect(services).toHaveProperty(name)
    for (const [, name] of block.matchAll(/\/run\/secrets\/(\w+)/g)) expect(used).toContain(name)
  }
})

it('what is built is a stage of the Dockerfile, which runs as nobody who may do everything', () => {
  for (const [name, { build }] of all) {
    if (build === undefined) continue
    const { target } = z.object({ context: z.literal('.'), target: z.string() }).parse(build)
    const users = (stages.get(target) ?? []).flatMap((line) => /^USER (\S+)$/.exec(line)?.[1] ?? [])
    expect(users, name).toEqual(['node'])
  }
  // Whose image is not ours is told who to be.
  expect(services['redis']?.user).toBeDefined()
})

it('everything that is copied into an image is there, and is sent to the engine', async () => {
  const sent = (await read('.dockerignore')).split('\n').flatMap((line) => /^!(.+)$/.exec(line)?.[1] ?? [])
  for (const [name, lines] of stages) {
    for (const line of lines) {
      const [, from, words = ''] = /^COPY (?:--from=(\S+) )?(.+)$/.exec(line) ?? []
      const sources = words.split(' ').slice(0, -1)
      if (from !== undefined) expect([...stages.keys()], name).toContain(from)
      else
        for (const source of sources) {
          expect(sent, line).toContain(source)
          await access(new URL(`../../${source}`, import.meta.url))
        }
    }
  }
  for (const source of sent) expect(dockerfile).toContain(` ${source}`)
})

it('what stays has a health check where it is ours or has state that others wait for, and the programs of the image are built', () => {
  const health = /^HEALTHCHECK .*CMD \["node", "\/app\/dist\/bin\/([\w-]+)\.js"\]$/
  const checks = (stages.get('dataferry') ?? []).flatMap((line) => health.exec(line)?.[1] ?? [])
  expect(checks).toEqual(['health'])
  expect(Object.keys(PROGRAMS)).toEqual(expect.arrayContaining(['dataferry', ...checks]))
  expect(dockerfile).toContain('ln -s /app/dist/bin/dataferry.js /usr/local/bin/dataferry')
  for (const [name, { healthcheck, restart, depends_on: others, ...service }] of all) {
    // A one-off command tells by its exit code how it went.
    if (isOurs(service)) expect(healthcheck?.disable === true, name).toBe(restart === undefined)
    if (!Array.isArray(others))
      for (const other of Object.keys(others)) expect(services[other]?.healthcheck?.test, other).toBeDefined()
  }
})
