import type { ManifestFormat } from './detect-format.ts'

/** A form of manifests, as the documentation shows it. */
interface ManifestForm {
  readonly name: string
  /** How one knows it. */
  readonly looks: string
  /** What is taken of it. */
  readonly taken: string
}

/** Every form that is read. */
export const MANIFEST_FORMS: Readonly<Record<ManifestFormat, ManifestForm>> = {
  list: {
    name: 'plain list',
    looks: 'one id, PID or address a line, bare, in quotes as `jq` prints it, or as `href="…"`; `#` begins a comment',
    taken: 'each',
  },
  csv: {
    name: 'CSV',
    looks: 'a header row with names of columns, then rows; commas, semicolons or tabs; a first line `sep=;` is obeyed',
    taken: 'each row; without a header the first column alone',
  },
  tsv: { name: 'TSV', looks: 'the same with tabs, also as GDC writes it: `id filename md5 size`', taken: 'each row' },
  ndjson: {
    name: 'NDJSON',
    looks: 'a JSON text a line, at most 64 KiB each',
    taken: 'each; a bad line is named, and the others are read',
  },
  json: {
    name: 'JSON',
    looks: 'one JSON text or several one after the other, compact or pretty',
    taken: 'what is in its list, or the text itself: see below',
  },
  bagit: {
    name: 'BagIt `fetch.txt`',
    looks: '`url length path`, where the URLs are Dataverse’s',
    taken: 'each, with size and path',
  },
  aria2: {
    name: 'aria2 input file',
    looks: 'addresses, with indented options below them',
    taken: 'each, with `out`, `dir` and `checksum`; other options are named once',
  },
  pooch: {
    name: 'registry of pooch',
    looks: '`name algorithm:hash url`, where the URLs are Dataverse’s',
    taken: 'each, with path and checksum; a line without URL is refused',
  },
}
