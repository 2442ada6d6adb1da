import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
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
  ports: z.unknown().optional(),
})
const text = await read('docker-compose.yml')
const { services } = z
  .looseObject({ services: z.record(z.string(), serviceSchema) })
  .parse(parse(text, { merge: true }))
const all = Object.entries(services)
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

it('images of others are pinned by a digest, beside a version for people', async () => {
  for (const { image, build } of Object.values(services)) if (build === undefined) expect(image).toMatch(PINNED)
  const dockerfile = await read('Dockerfile')
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)
  expect(new Set(bases)).toEqual(new Set(['${NODE_IMAGE}']))
  expect(/^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile)?.[1]).toMatch(PINNED)
})

it('what builds the program is in the image that builds it, and is not ignored', async () => {
  const [, copied = ''] = /^COPY (scripts\/.*) scripts\/$/m.exec(await read('Dockerfile')) ?? []
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
  const copied = [...(await read('Dockerfile')).matchAll(/\/app\/node_modules\/(\S+) /g)].map(([, name]) => name)
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

it('every variable that it reads is explained', async () => {
  const page = await read('docs/docker.md')
  for (const [, name = ''] of text.matchAll(/\$\{(\w+)[:}]/g))
    expect(`${page}\n${name}`).toMatch(new RegExp(`\\b${name}\\b[^]*\n${name}$`))
})
