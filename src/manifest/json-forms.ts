import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import { NAMING, roleOf } from './columns.ts'
import { datasetPid, describedVersion, versionSelector } from './json-dataset.ts'
import { integerOf, isObject, member, textOf, type JsonObject } from './json-object.ts'
import { isListingElement, readListedFile } from './listed-file.ts'
import type { Reading } from './reading.ts'
import { readRow } from './row.ts'

/** A kind of JSON object that is recognised before any column is looked for. */
export interface JsonForm {
  /** As messages and the documentation name it. */
  readonly what: string
  readonly is: (value: JsonObject) => boolean
  /** What it asks for. Throws a bad line. */
  readonly read: (value: JsonObject, reading: Reading) => Entry
  /** What is fetched for it, for the documentation; undefined: it is refused. */
  readonly taken?: string
}

const LINKED = 'export the dataset as schema.org, or give its PID'

/** The kinds of objects that servers write, in the order in which they are tried. */
export const JSON_FORMS: readonly JsonForm[] = [
  {
    what: 'a file of a listing (`dataFile`)',
    taken: 'the file, as it is listed',
    is: isListingElement,
    read: (value) => withVersion(readListedFile(value), value),
  },
  {
    what: 'the inner part of such a file (`contentType`, `filesize`, `storageIdentifier` or `rootDataFileId`)',
    taken: 'the file',
    is: (value) =>
      'contentType' in value && 'filesize' in value && ('storageIdentifier' in value || 'rootDataFileId' in value),
    read: (value, { servers }) => readRow({ file: idText(value, 'id') }, servers),
  },
  {
    what: 'a file that a search found (`file_id`)',
    taken: 'the file',
    is: (value) => value.type === 'file' && 'file_id' in value,
    read: (value, { servers }) => readRow({ file: idText(value, 'file_id') }, servers),
  },
  {
    what: 'a dataset that a search found (`global_id`)',
    taken: 'its files',
    is: (value) => value.type === 'dataset' && 'global_id' in value,
    read: (value, { servers }) => readRow({ dataset: idText(value, 'global_id') }, servers),
  },
  {
    what: 'a collection within a collection, or one that a search found (`type`: `dataverse`)',
    taken: 'its datasets with `--recursive`; otherwise it is reported as skipped',
    is: (value) => value.type === 'dataverse' && ('id' in value || 'identifier' in value),
    read: readCollection,
  },
  {
    what: 'a dataset version without its files (`versionState`)',
    taken: 'the files of that version',
    is: (value) =>
      ('versionState' in value && ('datasetPersistentId' in value || 'versionNumber' in value)) ||
      ('versionMinorNumber' in value && 'datasetId' in value),
    read: readVersionElement,
  },
  {
    what: 'a dataset (`protocol`, `authority`, `identifier`)',
    taken: 'its files',
    is: (value) => ['protocol', 'authority', 'identifier'].every((name) => textOf(value, name) !== undefined),
    read: readDataset,
  },
  {
    what: 'a file of schema.org JSON-LD, Croissant or OAI-ORE (`contentUrl`, `schema:sameAs`)',
    taken: 'the file; of Croissant and OAI-ORE under its name in the version described',
    is: (value) =>
      typesOf(value).some((type) => /(?:^|[:/#])(?:DataDownload|FileObject|AggregatedResource)$/.test(type)),
    read: readLinkedFile,
  },
  {
    what: 'an entry of a bdbag remote-file manifest (`url`, `length`, `filename`)',
    taken: 'the file at its URL, under its `filename`',
    is: (value) => ['url', 'length', 'filename'].every((name) => Object.hasOwn(value, name)),
    read: readRemoteFile,
  },
  refused('JSON-LD without a list of files', ['@type'], LINKED, true),
  refused('JSON-LD without a list of files', ['@context'], LINKED, true),
  refused('a file of Figshare, which is not a Dataverse', ['supplied_md5'], undefined, true),
  refused('a file of Figshare, which is not a Dataverse', ['is_link_only'], undefined, true),
  refused('a lock', ['lockType'], undefined, true),
  refused('a dataset or version that does not say which', ['storageIdentifier'], 'give its PID'),
  refused('a dataset or version that does not say which', ['protocol'], 'give its PID', true),
  refused('a dataset or version that does not say which', ['authority'], 'give its PID', true),
  refused('a dataset or version that does not say which', ['versionState'], 'give its PID', true),
  refused('a dataset or version that does not say which', ['internalVersionNumber'], 'give its PID', true),
  refused('a file of Zenodo or another InvenioRDM, which is not a Dataverse', ['key', 'links']),
  refused('a collection', ['alias'], 'use --collection with its alias'),
  refused('a collection', ['dataverseType'], 'use --collection with its alias'),
  refused('a user', ['authenticationProviderId']),
  refused('a user', ['superuser']),
  refused('a user', ['userName']),
  refused('a user', ['displayName', 'email']),
  refused('a metadata block', ['fields']),
  refused('a metadata block', ['displayOnCreate']),
  refused('a metadata field', ['typeName']),
  refused('a metadata field', ['typeClass']),
  refused('a role', ['permissions']),
  refused('a role assignment', ['assignee']),
  refused('a role assignment', ['roleId']),
  refused('a group', ['groupAliasInOwner']),
  refused('a guestbook', ['customQuestions']),
  refused('a guestbook', ['dataverseId']),
  refused('a licence', ['rightsIdentifier']),
  refused('a licence', ['active', 'uri']),
  refused('a dataset type', ['linkedMetadataBlocks']),
  refused('a version, or a summary of one', ['versionNumber'], 'fetch …/versions instead'),
  refused('a version, or a summary of one', ['publishedOn'], 'fetch …/versions instead'),
  refused('a variable of a table', ['variableIntervalType'], 'give the file it is in'),
  refused('a variable of a table', ['variableFormatType'], 'give the file it is in'),
  refused('a variable of a table', ['weighted'], 'give the file it is in'),
  refused('the description of a table', ['varQuantity'], 'give the file it describes'),
  refused('a notification', ['sentTimestamp']),
  refused('a harvesting client', ['harvestUrl']),
  refused('an OAI set', ['definition', 'spec'], 'use --query with its definition'),
  refused('an external tool', ['toolUrl']),
  refused('a saved search', ['definitionPointId'], 'use --query'),
  refused('a workflow', ['steps']),
  {
    what: 'anything whose `type` is not `file`',
    is: (value) => 'type' in value && value.type !== 'file' && !namesPlainly(value),
    read: ({ type }) => {
      throw badLine(`its type is ${quoted(String(type))}, so its id is not a file's: give files or datasets`)
    },
  },
]

/** Reads an object of a known kind; undefined when it is not one. Throws a bad line. */
export function readKnownObject(value: JsonObject, reading: Reading): Entry | undefined {
  return JSON_FORMS.find(({ is }) => is(value))?.read(value, reading)
}

/**
 * A kind that names nothing to fetch, recognised by its members.
 * @param always even if the object is clearly a row, with a member such as `fileId` or `url`
 */
function refused(
  what: string,
  members: readonly string[],
  instead = 'give files or datasets',
  always = false,
): JsonForm {
  return {
    what: `${what} (${members.map((name) => `\`${name}\``).join(', ')})`,
    is: (value) => members.every((name) => Object.hasOwn(value, name)) && (always || !namesPlainly(value)),
    read: () => {
      throw badLine(`this is ${what}, not a file or dataset: ${instead}`)
    },
  }
}

/** Whether a member's name says what to fetch, unlike `id`, which everything has. */
function namesPlainly(value: JsonObject): boolean {
  return Object.keys(value).some((name) => {
    const role = roleOf(name)
    return role !== undefined && role !== 'id' && NAMING.includes(role)
  })
}

function withVersion(entry: Entry, value: JsonObject): Entry {
  const version = describedVersion(value)
  return version ? { ...entry, listedIn: version } : entry
}

function idText(value: JsonObject, name: string): string {
  const id = integerOf(value, name)
  const text = id === undefined ? textOf(value, name) : String(id)
  if (text !== undefined) return text
  throw badLine(`its ${name} is neither a number nor text: request the listing again`)
}

function readCollection(value: JsonObject): Entry {
  const collection = integerOf(value, 'id') ?? textOf(value, 'identifier')
  if (collection === undefined) throw badLine('the collection has no id: request the listing again')
  const title = textOf(value, 'title') ?? textOf(value, 'name')
  return { target: { kind: 'collection', collection, ...(title === undefined ? {} : { title }) } }
}

function readVersionElement(value: JsonObject): Entry {
  const described = describedVersion(value)
  if (described) return { target: { kind: 'dataset', ...described } }
  throw badLine('this is a dataset version without its files that does not name its dataset: give the dataset’s PID')
}

function readDataset(value: JsonObject): Entry {
  const dataset = datasetPid(value)
  if (dataset === undefined) throw badLine('the dataset has no readable PID: give its PID')
  const version = versionSelector(member(value, 'latestVersion')) ?? versionSelector(member(value, 'datasetVersion'))
  return { target: { kind: 'dataset', dataset, ...(version === undefined ? {} : { version }) } }
}

function typesOf(value: JsonObject): readonly string[] {
  const type = member(value, '@type')
  return (Array.isArray(type) ? type : [type]).filter((one) => typeof one === 'string')
}

/** An installation may hide the URLs of files; a PID of the file may still be given. */
function readLinkedFile(value: JsonObject, { servers }: Reading): Entry {
  const url = textOf(value, 'contentUrl') ?? textOf(value, 'schema:sameAs') ?? resolverUrl(value)
  if (url !== undefined) return readRow({ url, kind: 'file' }, servers)
  const name = textOf(value, 'name') ?? textOf(value, 'schema:name') ?? ''
  throw badLine(`file ${quoted(name)} has no URL, since its server hides them here: give the dataset's PID`)
}

function resolverUrl(value: JsonObject): string | undefined {
  return [textOf(value, '@id'), textOf(value, 'identifier')].find((text) => text?.includes('://'))
}

function readRemoteFile(value: JsonObject, { servers }: Reading): Entry {
  const text = (name: string): string => {
    const cell = value[name]
    return typeof cell === 'string' || typeof cell === 'number' ? String(cell) : ''
  }
  const sums = { md5: text('md5'), sha1: text('sha1'), sha256: text('sha256'), sha512: text('sha512') }
  return readRow({ url: text('url'), size: text('length'), path: text('filename'), ...sums }, servers)
}

/** Describes an unknown object by the names of its members, for messages. */
export function describeObject(value: unknown): string {
  if (!isObject(value)) return Array.isArray(value) ? 'a list' : `${typeof value} ${quoted(String(value))}`
  const names = Object.keys(value)
  const shown = names.slice(0, 4).map(quoted).join(', ')
  return names.length === 0 ? 'an empty object' : `an object with ${shown}${names.length > 4 ? ' …' : ''}`
}
