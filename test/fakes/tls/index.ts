import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** The certificate of an authority that nobody trusts by itself, as a file. */
export const AUTHORITY_FILE = path('authority.pem')
/** The same, in PEM. */
export const AUTHORITY = readFileSync(AUTHORITY_FILE, 'utf8')
/** A certificate that it signed for localhost, 127.0.0.1 and ::1, with its key: both are worth nothing elsewhere. */
export const SERVER = { cert: readFileSync(path('server.pem')), key: readFileSync(path('server.key')) }
