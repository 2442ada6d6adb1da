import { visibleText } from '../model/visible-text.ts'

const URL_WITH_SECRETS = /\b(https?:\/\/)(?:[^\s/?#@"'<>]*@)?([^\s?#"'<>\\]*)(\?[^\s"'<>]*)?/gi
const SECRET_PARAMETER =
  /(?<![A-Za-z0-9])(?:(?:[a-z]+-)?(?:api[-_]?)?key|(?:api[-_]?)?token|x-amz-[a-z-]+|signature|sig|awsaccesskeyid)=[^&\s"'<>\\]*/gi
const SECRET_HEADER = /\b(x-dataverse-key|authorization)\s*:\s*(?:bearer\s+)?[^\s"',;]+/gi
// Terminals act on these, and the text is foreign.
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g
const LONGEST = 500
/** Most of a text that is looked at: the expressions above may read each character many times. */
const LONGEST_READ = 4096

/**
 * Makes a server's text safe for a message or a log: removes the query and user of every URL, parameters and headers
 * that carry secrets, the given secrets themselves (plain or percent-encoded) and control characters; at most 500
 * characters, made from the first 4,096 of any text.
 * @see the protocol note §0.1: error bodies repeat the request URL with `?key=` and signed-URL tokens in it.
 */
export function redact(text: string, secrets: readonly string[]): string {
  let safe = beginningOf(text)
  for (const secret of secrets) {
    safe = safe.replaceAll(secret, '[hidden]').replaceAll(encodeURIComponent(secret), '[hidden]')
  }
  const cleaned = safe
    .replaceAll(
      URL_WITH_SECRETS,
      (_, scheme: string, place: string, query?: string) => scheme + place + (query ? '?…' : ''),
    )
    .replaceAll(SECRET_PARAMETER, '[hidden]')
    .replaceAll(SECRET_HEADER, '$1: [hidden]')
    .trim()
  // Before it is cut, as what is made visible is several times as long.
  const shown = visibleText(cleaned)
  return shown.length > LONGEST || text.length > LONGEST_READ ? `${shown.slice(0, LONGEST)}…` : shown
}

/** Ends with a whole word, since half a secret would not be recognised. */
function beginningOf(text: string): string {
  const beginning = text.slice(0, LONGEST_READ).replaceAll(CONTROL, ' ')
  return text.length > LONGEST_READ ? beginning.slice(0, Math.max(0, beginning.lastIndexOf(' '))) : beginning
}
