/** The error of an object store, in the XML of S3 and compatible stores. */
export interface StorageError {
  /** `NoSuchKey`, `AccessDenied`, … */
  readonly code: string
  readonly message: string | undefined
}

/**
 * Reads `<Error><Code>…</Code><Message>…</Message>…</Error>`; undefined when the text is not that. Never throws.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
export function parseStorageError(text: string): StorageError | undefined {
  if (!text.trimStart().startsWith('<') || !text.includes('<Error>')) return undefined
  const code = element(text, 'Code')
  return code === undefined ? undefined : { code, message: element(text, 'Message') }
}

function element(text: string, name: string): string | undefined {
  const open = `<${name}>`
  const start = text.indexOf(open)
  const end = start < 0 ? -1 : text.indexOf(`</${name}>`, start)
  return end < 0 ? undefined : text.slice(start + open.length, end).trim()
}
