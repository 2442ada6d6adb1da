import { z } from 'zod'
import { CHECKSUM_TYPES } from './content.ts'
import { STORES, VERSION_STATES } from './specs.ts'
import { World } from './world.ts'

const text = z.string()
const content = z.union([
  text,
  z.strictObject({ size: z.number().int().nonnegative(), seed: z.number().int() }),
  z.strictObject({ base64: text }),
])
const tabular = z.strictObject({
  original: content,
  header: z.array(text),
  tab: content,
  storedWithHeader: z.boolean().exactOptional(),
  originalName: text.exactOptional(),
  originalContentType: text.exactOptional(),
  statedOriginalSize: z.number().nullable().exactOptional(),
  legacyChecksum: z.boolean().exactOptional(),
})
const file = z.strictObject({
  id: z.number().int().positive().exactOptional(),
  label: text,
  directory: text.exactOptional(),
  content: content.exactOptional(),
  tabular: tabular.exactOptional(),
  contentType: text.exactOptional(),
  checksum: z
    .union([z.enum(CHECKSUM_TYPES), z.null(), z.strictObject({ type: z.enum(CHECKSUM_TYPES), value: text })])
    .exactOptional(),
  statedSize: z.number().exactOptional(),
  restricted: z.boolean().exactOptional(),
  embargo: z.strictObject({ dateAvailable: text, reason: text.exactOptional() }).exactOptional(),
  retention: z.strictObject({ dateUnavailable: text, reason: text.exactOptional() }).exactOptional(),
  pid: text.exactOptional(),
  store: z.enum(STORES).exactOptional(),
  description: text.exactOptional(),
  categories: z.array(text).exactOptional(),
})
const guestbook = z.strictObject({
  id: z.number().int().positive(),
  name: text.exactOptional(),
  nameRequired: z.boolean().exactOptional(),
  emailRequired: z.boolean().exactOptional(),
})
const basics = {
  pid: text,
  id: z.number().int().positive().exactOptional(),
  title: text.exactOptional(),
  collection: text.exactOptional(),
  harvested: z.boolean().exactOptional(),
  linkedTo: z.array(text).exactOptional(),
  guestbook: guestbook.exactOptional(),
  guestbookAtRequest: z.boolean().exactOptional(),
}
const version = z.strictObject({
  number: text.exactOptional(),
  state: z.enum(VERSION_STATES).exactOptional(),
  deaccession: z.strictObject({ note: text, link: text.exactOptional() }).exactOptional(),
  files: z.array(file),
})
const dataset = z.union([
  z.strictObject({ ...basics, files: z.array(file) }),
  z.strictObject({ ...basics, versions: z.array(version) }),
])
const world = z.strictObject({
  collections: z
    .array(z.strictObject({ alias: text, title: text.exactOptional(), parent: text.exactOptional() }))
    .default([]),
  datasets: z.array(dataset),
})

/** A world as JSON, for stand-ins in other processes. */
export type WorldJson = z.input<typeof world>

/** Builds a world from JSON; throws on anything it does not know. */
export function worldFromJson(value: unknown): World {
  const parsed = world.parse(value)
  const built = new World()
  for (const { alias, ...options } of parsed.collections) built.collection(alias, options)
  for (const { pid, ...spec } of parsed.datasets) built.dataset(pid, spec)
  return built
}
