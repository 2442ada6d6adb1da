import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { curates } from '../access.ts'
import type { Context, Visit } from '../context.ts'
import { parseJson } from '../guestbook.ts'
import { ingested } from '../ingest.ts'
import { requireDataset } from '../lookup.ts'
import { failure, json, ok, Refusal, said, unknownRoute } from '../reply.ts'
import type { Reply } from '../reply.ts'
import type { FileSpec, VersionSpec } from '../specs.ts'
import type { Dataset } from '../world.ts'

/**
 * What changes the world, as far as `npm run test:real` needs it: collections, datasets, files, versions. Tables
 * are ingested at once. A dataset is described anew with each change.
 */
export async function write(visit: Visit, context: Context): Promise<Reply> {
  const { call } = visit
  const [area = '', id = '', ...rest] = call.segments
  const action = `${call.method} ${area}/${rest.join('/')}`
  if (!visit.user?.superuser)
    throw new Refusal(failure(401, 'User :guest is not permitted to perform requested action.'))
  switch (action) {
    case 'POST dataverses/':
      return addCollection(visit, id, context)
    case 'DELETE dataverses/':
      context.world.collections.delete(id)
      return said(`Dataverse ${id} deleted`, context.settings.topLevelMessages)
    case 'POST dataverses/actions/:publish':
      return ok({ alias: id })
    case 'POST dataverses/datasets':
      return addDataset(visit, id, context)
    case 'POST guestbooks/':
      return addGuestbook(visit, context)
    case 'DELETE files/':
      return removeFile(id, context)
    case 'PUT files/restrict':
      return restrict(visit, id, context)
  }
  if (area !== 'datasets') throw unknownRoute(call)
  const dataset = requireDataset(call, id, context)
  if (!curates(visit.user, dataset)) throw new Refusal(failure(403, 'Not permitted.'))
  switch (action) {
    case 'POST datasets/add':
      return addFile(visit, dataset, context)
    case 'POST datasets/actions/:publish':
      return publish(dataset, context)
    case 'POST datasets/privateUrl':
      return previewUrl(dataset, context)
    case 'POST datasets/files/actions/:set-embargo':
      return embargo(visit, dataset, context)
    case 'PUT datasets/guestbook':
      return setGuestbook(visit, dataset, context)
    case 'DELETE datasets/destroy':
      context.world.remove(dataset)
      return said('Dataset destroyed', context.settings.topLevelMessages)
    default:
      if (call.method === 'POST' && rest[0] === 'versions' && rest[2] === 'deaccession')
        return deaccession(visit, dataset, rest[1] ?? '', context)
      throw unknownRoute(call)
  }
}

async function addCollection(visit: Visit, parent: string, context: Context): Promise<Reply> {
  const { alias, name } = z
    .looseObject({ alias: z.string(), name: z.string() })
    .parse(parseJson(await visit.call.body()))
  const made = context.world.collection(alias, { title: name, parent: parent === ':root' ? 'root' : parent })
  return json(201, { status: 'OK', data: { id: made.id, alias } })
}

async function addDataset(visit: Visit, collection: string, context: Context): Promise<Reply> {
  const { termsOfUse, metadataBlocks } = newDataset.parse(parseJson(await visit.call.body())).datasetVersion
  const title = String(metadataBlocks.citation.fields.find(({ typeName }) => typeName === 'title')?.value)
  const id = context.world.freshId()
  const pid = `doi:10.5072/FK2/MADE${id}`
  define(context, { id, pid, collection, title }, [{ state: 'DRAFT', files: [] }])
  if (termsOfUse === undefined) context.memory.withoutTerms.add(id)
  return json(201, { status: 'OK', data: { id, persistentId: pid } })
}

const newDataset = z.object({
  datasetVersion: z.object({
    termsOfUse: z.string().optional(),
    metadataBlocks: z.object({
      citation: z.object({ fields: z.array(z.object({ typeName: z.string(), value: z.unknown() })) }),
    }),
  }),
})

async function addFile(visit: Visit, dataset: Dataset, context: Context): Promise<Reply> {
  const type = visit.call.header('content-type') ?? ''
  const answer = new Response(await visit.call.bytes(), { headers: { 'content-type': type } })
  // Bodies of tests are small, and nothing else reads multipart/form-data here.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const form = await answer.formData()
  const [file, jsonData] = [form.get('file'), form.get('jsonData')]
  if (!(file instanceof File)) throw new Refusal(failure(400, 'You must upload a file or provide a storageidentifier.'))
  const about = aboutFile.parse(parseJson(typeof jsonData === 'string' ? jsonData : '{}'))
  // The server takes the form's headers for Latin-1.
  const name = about.label ?? Buffer.from(file.name).toString('latin1')
  const content = new Uint8Array(await file.arrayBuffer())
  const spec: FileSpec = {
    id: context.world.freshId(),
    ...(ingested(name, file.type, content) ?? { label: name, content, contentType: file.type }),
    ...(about.directoryLabel !== undefined && { directory: about.directoryLabel }),
    ...(String(about.restrict) === 'true' && { restricted: true }),
  }
  changeDraft(dataset, context, (files) => [...files, spec])
  return ok({ files: [{ label: name, dataFile: { id: spec.id } }] })
}

const aboutFile = z.looseObject({
  label: z.string().optional(),
  directoryLabel: z.string().optional(),
  restrict: z.union([z.boolean(), z.string()]).optional(),
})

async function addGuestbook(visit: Visit, context: Context): Promise<Reply> {
  const required = { nameRequired: z.boolean(), emailRequired: z.boolean() }
  const book = z
    .looseObject({ name: z.string(), enabled: z.boolean(), ...required })
    .parse(parseJson(await visit.call.body()))
  const { name, enabled, nameRequired, emailRequired } = book
  const id = 1 + context.memory.guestbooks.size
  context.memory.guestbooks.set(id, { id, name, enabled, nameRequired, emailRequired })
  return json(201, { status: 'OK', data: { id, name } })
}

async function setGuestbook(visit: Visit, dataset: Dataset, context: Context): Promise<Reply> {
  const guestbook = context.memory.guestbooks.get(Number(await visit.call.body()))
  if (!guestbook) throw new Refusal(failure(404, 'Could not find a guestbook with this id'))
  define(context, dataset, described(dataset, context), guestbook)
  return said(`Guestbook ${guestbook.id} set`, context.settings.topLevelMessages)
}

async function embargo(visit: Visit, dataset: Dataset, context: Context): Promise<Reply> {
  const asked = z.looseObject({ dateAvailable: z.string(), fileIds: z.array(z.number()) })
  const { dateAvailable, fileIds } = asked.parse(parseJson(await visit.call.body()))
  changeDraft(dataset, context, (files) =>
    files.map((file) => (fileIds.includes(file.id ?? 0) ? { ...file, embargo: { dateAvailable } } : file)),
  )
  return said('Files were embargoed', context.settings.topLevelMessages)
}

function removeFile(id: string, context: Context): Reply {
  const file = context.world.file(Number(id))
  if (!file) throw new Refusal(failure(404, `File with ID ${id} not found.`))
  changeDraft(file.dataset, context, (files) => files.filter((one) => one.id !== file.id))
  return said(`File ${id} deleted`, context.settings.topLevelMessages)
}

async function restrict(visit: Visit, id: string, context: Context): Promise<Reply> {
  const file = context.world.file(Number(id))
  if (!file) throw new Refusal(failure(404, `File with ID ${id} not found.`))
  const restricted = (await visit.call.body()).trim() === 'true'
  changeDraft(file.dataset, context, (files) => files.map((one) => (one.id === file.id ? { ...one, restricted } : one)))
  return said(`File ${file.label} restricted.`, context.settings.topLevelMessages)
}

function publish(dataset: Dataset, context: Context): Reply {
  const { withoutTerms } = context.memory
  const versions = described(dataset, context)
  const draft = versions.at(-1)
  if (withoutTerms.has(dataset.id))
    throw new Refusal(
      failure(409, 'Dataset must have a valid license or Custom Terms Of Use configured before it can be published.'),
    )
  if (draft?.state !== 'DRAFT') throw new Refusal(failure(403, 'This dataset has no draft.'))
  define(context, dataset, [...versions.slice(0, -1), { number: `${versions.length}.0`, files: draft.files }])
  return ok({ id: dataset.id })
}

/** A link for people without an account, with a token that shows the draft. */
function previewUrl({ pid }: Dataset, context: Context): Reply {
  const token = randomUUID()
  const link = `${context.url}/privateurl.xhtml?token=${token}`
  const user = {
    name: `#${token}`,
    superuser: false,
    grants: new Set<number>(),
    curates: new Set([pid]),
    preview: true,
  }
  context.tokens.set(token, user)
  return json(201, { status: 'OK', data: { token, link } })
}

async function deaccession(visit: Visit, dataset: Dataset, number: string, context: Context): Promise<Reply> {
  const told = z.looseObject({ deaccessionReason: z.string(), deaccessionForwardURL: z.string().optional() })
  const { deaccessionReason: note, deaccessionForwardURL: link } = told.parse(parseJson(await visit.call.body()))
  const versions = described(dataset, context).map((version): VersionSpec =>
    version.number === number
      ? { ...version, state: 'DEACCESSIONED', deaccession: { note, ...(link !== undefined && { link }) } }
      : version,
  )
  define(context, dataset, versions)
  return said(`Dataset version ${number} deaccessioned`, context.settings.topLevelMessages)
}

/** A change of what is published begins a draft. */
function changeDraft(dataset: Dataset, context: Context, change: (files: readonly FileSpec[]) => FileSpec[]): void {
  const versions = described(dataset, context)
  const last = versions.at(-1)
  const earlier = last?.state === 'DRAFT' ? versions.slice(0, -1) : versions
  define(context, dataset, [...earlier, { state: 'DRAFT', files: change(last?.files ?? []) }])
}

function described({ id }: Dataset, { memory }: Context): readonly VersionSpec[] {
  const found = memory.written.get(id)
  if (!found) throw new Refusal(failure(403, 'Only what was made by the API can be changed here.'))
  return found.versions
}

function define(
  { world, memory }: Context,
  { id, pid, title, ...more }: Pick<Dataset, 'id' | 'pid' | 'title'> & { readonly collection?: unknown },
  versions: readonly VersionSpec[],
  guestbook = world.datasets.get(id)?.guestbook,
): void {
  const collection =
    typeof more.collection === 'string' ? more.collection : (memory.written.get(id)?.collection ?? 'root')
  const there = world.datasets.get(id)
  if (there) world.remove(there)
  world.dataset(pid, { id, title, collection, versions, ...(guestbook && { guestbook }) })
  memory.written.set(id, { collection, versions })
}
