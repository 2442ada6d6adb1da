import { randomBytes } from 'node:crypto'
import type { Installation, NewFile } from './server.ts'

/** What the suite made, to be looked at and removed. */
export interface World {
  readonly pid: string
  readonly restricted: number
  readonly table: number
  readonly plain: number
  /** Undefined where the installation has no embargoes. */
  readonly embargoed: number | undefined
  /** Behind a guestbook. Undefined where the installation makes none by its API (before 6.10). */
  readonly booked: number | undefined
  readonly deaccessioned: string
  readonly files: readonly NewFile[]
  /** What this installation did not let us make, with its words. */
  readonly missing: readonly string[]
  remove(): Promise<void>
}

const FILES: readonly NewFile[] = [
  { name: 'hello.txt', content: 'Hello, Dataverse!\n', type: 'text/plain' },
  { name: 'same.txt', directory: 'a', content: 'a', type: 'text/plain' },
  { name: 'same.txt', directory: 'b/deep', content: 'b', type: 'text/plain' },
  { name: 'Übersicht 数据.txt', directory: 'odd names', content: 'odd', type: 'text/plain' },
  { name: 'table.csv', directory: 'data', content: 'x,y\n1,2\n3,4\n', type: 'text/csv' },
  { name: 'secret.txt', content: 'secret\n', type: 'text/plain', restrict: true },
]

/** Makes a collection with one dataset of two versions and a draft, and one that was deaccessioned. */
export async function makeWorld(server: Installation): Promise<World> {
  const alias = `dataferry-${randomBytes(4).toString('hex')}`
  const made: number[] = []
  const missing: string[] = []
  const remove = async (): Promise<void> => {
    for (const id of made.reverse()) await server.call('DELETE', `datasets/${id}/destroy`)
    await server.call('DELETE', `dataverses/${alias}`)
  }
  await server.call('POST', 'dataverses/:root', collection(alias))
  try {
    await server.call('POST', `dataverses/${alias}/actions/:publish`)
    const first = await newDataset(server, alias, made)
    const ids = new Map<NewFile, number>()
    for (const file of FILES.slice(0, 2)) ids.set(file, await server.addFile(first.id, file))
    await published(server, first.id)
    for (const file of FILES.slice(2)) {
      ids.set(file, await server.addFile(first.id, file))
      await server.settled(first.id)
    }
    const later = await server.addFile(first.id, { name: 'later.txt', content: 'later' })
    const embargo = { dateAvailable: '2099-01-01', reason: 'dataferry test', fileIds: [later] }
    const embargoed = await server.call('POST', `datasets/${first.id}/files/actions/:set-embargo`, embargo).then(
      () => later,
      (error: unknown) => void missing.push(`embargo: ${String(error)}`),
    )
    if (embargoed === undefined) await server.call('DELETE', `files/${later}`)
    await published(server, first.id)
    await server.addFile(first.id, { name: 'draft.txt', content: 'draft' })
    const gone = await newDataset(server, alias, made)
    await server.addFile(gone.id, { name: 'gone.txt', content: 'gone' })
    await published(server, gone.id)
    const reason = { deaccessionReason: 'dataferry test', deaccessionForwardURL: 'https://example.org/new' }
    await server.call('POST', `datasets/${gone.id}/versions/1.0/deaccession`, reason)
    const booked = await newDataset(server, alias, made)
    const bookedFile = await server.addFile(booked.id, { name: 'booked.txt', content: 'booked' })
    await published(server, booked.id)
    const guestbook = await behindGuestbook(server, alias, booked.id).then(
      () => bookedFile,
      (error: unknown) => void missing.push(`guestbook: ${String(error)}`),
    )
    const idOf = (name: string): number => [...ids].find(([file]) => file.name === name)?.[1] ?? 0
    const named = { restricted: idOf('secret.txt'), table: idOf('table.csv'), plain: idOf('hello.txt') }
    return {
      pid: first.pid,
      ...named,
      embargoed,
      booked: guestbook,
      deaccessioned: gone.pid,
      files: FILES,
      missing,
      remove,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

async function newDataset(server: Installation, alias: string, made: number[]): Promise<{ id: number; pid: string }> {
  const { id, persistentId } = await server.call('POST', `dataverses/${alias}/datasets`, dataset())
  made.push(Number(id))
  return { id: Number(id), pid: String(persistentId) }
}

async function behindGuestbook(server: Installation, alias: string, dataset: number): Promise<void> {
  const fields = { nameRequired: true, emailRequired: true, institutionRequired: false, positionRequired: false }
  const book = { name: alias, enabled: true, ...fields, customQuestions: [] }
  const { id } = await server.call('POST', `guestbooks/${alias}`, book)
  await server.call('PUT', `datasets/${dataset}/guestbook`, String(id))
}

async function published(server: Installation, id: number): Promise<void> {
  await server.settled(id)
  await server.call('POST', `datasets/${id}/actions/:publish?type=major`)
  await server.settled(id)
}

function collection(alias: string): object {
  return {
    alias,
    name: `dataferry ${alias}`,
    dataverseContacts: [{ contactEmail: 'dataferry@example.org' }],
    dataverseSubjects: ['Other'],
    dataverseType: 'LABORATORY',
  }
}

function dataset(): object {
  const text = (typeName: string, value: string) => ({ typeName, value, typeClass: 'primitive', multiple: false })
  const compound = (typeName: string, ...fields: ReturnType<typeof text>[]) => ({
    typeName,
    typeClass: 'compound',
    multiple: true,
    value: [Object.fromEntries(fields.map((field) => [field.typeName, field]))],
  })
  const fields = [
    text('title', 'dataferry test data'),
    compound('author', text('authorName', 'dataferry')),
    compound('datasetContact', text('datasetContactEmail', 'dataferry@example.org')),
    compound('dsDescription', text('dsDescriptionValue', 'Made by npm run test:real, and removed by it.')),
    { typeName: 'subject', typeClass: 'controlledVocabulary', multiple: true, value: ['Other'] },
  ]
  return { datasetVersion: { metadataBlocks: { citation: { displayName: 'Citation Metadata', fields } } } }
}
