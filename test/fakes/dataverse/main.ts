import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { demoFaults, demoWorld } from './demo-world.ts'
import { faultSchema } from './faults.ts'
import { PROFILES } from './profile.ts'
import { startDataverse } from './server.ts'
import { settingsSchema } from './settings.ts'
import { worldFromJson } from './world-json.ts'
import { World } from './world.ts'
import { bigWorld, tinyWorld } from './worlds.ts'

const tokenSchema = z.strictObject({
  user: z.string(),
  superuser: z.boolean().exactOptional(),
  grants: z.array(z.number()).exactOptional(),
  curates: z.union([z.literal('all'), z.array(z.string())]).exactOptional(),
  preview: z.boolean().exactOptional(),
  expires: z.string().exactOptional(),
})

/** What the process takes as JSON, by `--options` or, with `--stdin`, on standard input. */
const processOptionsSchema = z.looseObject({
  profile: z.enum(PROFILES).exactOptional(),
  tokens: z.record(z.string(), tokenSchema).exactOptional(),
  faults: z.array(faultSchema).exactOptional(),
  host: z.string().exactOptional(),
  port: z.number().exactOptional(),
  storagePort: z.number().exactOptional(),
  requestsPerConnection: z.number().exactOptional(),
  keepRequests: z.number().exactOptional(),
  /** A world as JSON; otherwise `--world` chooses one. */
  world: z.unknown().optional(),
})

/**
 * The stand-in as a process of its own. Prints one line `{"url":…,"storageUrl":…}` when it is ready and runs until
 * SIGTERM, SIGINT, or the end of a parent that is connected by IPC.
 * `--world demo | tiny:<count>[:<size>[:<datasets>]] | big:<size>[,<size>…] | stored:<size>[,<size>…] | <module>`: `stored`
 * is `big` behind links to the storage host; the module's default export is a function that makes a `World`. The demo world comes with its faults unless others are given.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      world: { type: 'string', default: 'demo' },
      options: { type: 'string' },
      stdin: { type: 'boolean', default: false },
    },
  })
  const given: unknown = JSON.parse(values.options ?? (values.stdin ? await standardInput() : '{}'))
  const { profile, tokens, faults, host, port, storagePort, requestsPerConnection, keepRequests, world, ...settings } =
    processOptionsSchema.parse(given)
  const demoOnly = world === undefined && values.world === 'demo' ? demoFaults() : []
  const standIn = await startDataverse({
    ...settingsSchema.parse(settings),
    world: world === undefined ? await namedWorld(values.world) : worldFromJson(world),
    control: true,
    faults: faults ?? demoOnly,
    ...(profile && { profile }),
    ...(tokens && { tokens }),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(storagePort !== undefined && { storagePort }),
    ...(requestsPerConnection !== undefined && { requestsPerConnection }),
    ...(keepRequests !== undefined && { keepRequests }),
  })
  const stop = async (): Promise<void> => {
    await standIn.close()
    if (process.connected) process.disconnect()
  }
  // A parent that dies takes the stand-in with it.
  for (const end of ['SIGTERM', 'SIGINT', 'disconnect']) process.once(end, () => void stop())
  process.stdout.write(`${JSON.stringify({ url: standIn.url, storageUrl: standIn.storageUrl })}\n`)
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) if (Buffer.isBuffer(chunk)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function namedWorld(name: string): Promise<World> {
  const [kind = '', ...numbers] = name.split(/[:,]/)
  const [first = 0, size = 100, datasets = 1] = numbers.map(Number)
  if (kind === 'demo') return demoWorld()
  if (kind === 'tiny') return tinyWorld(first, { size, datasets })
  if (kind === 'big') return bigWorld(numbers.map(Number))
  if (kind === 'stored') return bigWorld(numbers.map(Number), { store: 's3-redirect' })
  const module = z.looseObject({ default: z.function({ input: [], output: z.instanceof(World) }) })
  const loaded: unknown = await import(pathToFileURL(name).href)
  return module.parse({ ...z.looseObject({}).parse(loaded) }).default()
}

await main()
