import type { ManifestFormat } from './detect-format.ts'

/** A form of manifests, as the documentation shows it. */
interface ManifestForm {
  readonly name: string
  /** How to recognise it. */
  readonly looks: string
  /** What is read from it. */
  readonly taken: string
}

/** Every form that is read. */
export const MANIFEST_FORMS: Readonly<Record<ManifestFormat, ManifestForm>> = {
  list: {
    name: 'plain list',
    looks: 'one id, PID or URL per line, bare, in quotes as `jq` prints it, or as `href="…"`; `#` begins a comment',
    taken: 'each',
  },
  csv: {
    name: 'CSV',
    looks: 'a header row with column names, then rows; commas, semicolons or tabs; a first line `sep=;` is respected',
    taken: 'each row; without a header only the first column',
  },
  tsv: { name: 'TSV', looks: 'the same with tabs, also as GDC writes it: `id filename md5 size`', taken: 'each row' },
  ndjson: {
    name: 'NDJSON',
    looks: 'one JSON text per line, at most 64 KiB each',
    taken: 'each line; a bad one is named, and the others are read',
  },
  json: {
    name: 'JSON',
    looks: 'one JSON text or several in a row, compact or pretty-printed',
    taken: 'the elements of its list, or the text itself: see below',
  },
  bagit: {
    name: 'BagIt `fetch.txt`',
    looks: '`url length path`, with URLs of a Dataverse',
    taken: 'each line, with size and path',
  },
  aria2: {
    name: 'aria2 input file',
    looks: 'URLs, with indented options below them',
    taken: 'each URL, with `out`, `dir` and `checksum`; other options are reported once',
  },
  pooch: {
    name: 'pooch registry',
    looks: '`name algorithm:hash url`, with URLs of a Dataverse',
    taken: 'each line, with path and checksum; a line without a URL is refused',
  },
}
