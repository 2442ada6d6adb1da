import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { DataferryError, messageOf, systemCode } from '../errors.ts'

/** What a signature is for: one for another purpose does not count as one for this. */
export const NAMESPACE = 'dataferry'

export interface Signing {
  /** A private key, or the public one of a key that an agent has. */
  readonly keyFile: string
  /** Of this process: ssh-keygen gets only what it needs of it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** Whether a file is a key by which something can be signed. Rejects with `SIGNING_UNAVAILABLE` and `ARGUMENT_INVALID`. */
export async function checkKey(signing: Signing): Promise<void> {
  const { code, said } = await keygen(signing, ['-l', '-f', signing.keyFile])
  if (code === 0) return
  throw new DataferryError('ARGUMENT_INVALID', `${signing.keyFile} is no key that ssh-keygen can read: ${said}.`)
}

/**
 * Signs bytes: a detached signature, as text, that `ssh-keygen -Y verify` checks. Nothing is ever asked for: a key with a passphrase
 * comes from an agent. Rejects with `SIGNING_UNAVAILABLE`.
 */
export async function sign(signing: Signing, content: AsyncIterable<Uint8Array>): Promise<string> {
  const { keyFile } = signing
  const { code, text, said } = await keygen(signing, ['-Y', 'sign', '-f', keyFile, '-n', NAMESPACE], content)
  if (code === 0 && signerOf(text) !== undefined) return text
  const why = /passphrase/.test(said) ? 'it has a passphrase, and no ssh-agent has the key' : said
  throw new DataferryError('SIGNING_UNAVAILABLE', `Nothing could be signed with ${keyFile}: ${why}.`)
}

/**
 * The public key in a signature, as `authorized_keys` and `allowed_signers` have it: `ssh-ed25519 AAAA…`.
 * @see PROTOCOL.sshsig of OpenSSH: the text `SSHSIG`, a version, the public key, which begins with its type
 */
export function signerOf(signature: string): string | undefined {
  const [, base64 = ''] =
    /^-----BEGIN SSH SIGNATURE-----\n([\w+/=\n]+)-----END SSH SIGNATURE-----/.exec(signature) ?? []
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
  const key = stringAt(bytes, MAGIC.length + LENGTH_BYTES)
  const type = key && stringAt(key, 0)
  return key && type && `${type.toString('latin1')} ${key.toString('base64')}`
}

const MAGIC = 'SSHSIG'
const LENGTH_BYTES = 4

/** Bytes with their length before them. */
function stringAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + LENGTH_BYTES > bytes.length) return undefined
  const from = at + LENGTH_BYTES
  const to = from + bytes.readUInt32BE(at)
  return to > bytes.length ? undefined : bytes.subarray(from, to)
}

interface Answer {
  readonly code: number | null
  readonly text: string
  /** Its last line on standard error, without the period. */
  readonly said: string
}

async function keygen(
  { environment, signal }: Signing,
  args: readonly string[],
  content: AsyncIterable<Uint8Array> = Readable.from([]),
): Promise<Answer> {
  const { PATH, HOME, SSH_AUTH_SOCK } = environment
  const env = { PATH, HOME, SSH_AUTH_SOCK, LC_ALL: 'C', SSH_ASKPASS_REQUIRE: 'never' }
  // Without a terminal of its own it cannot ask for a passphrase there, and wait for somebody who is not there.
  const child = spawn('ssh-keygen', args, { env, signal, detached: true })
  const ended = once(child, 'close')
  const [text, errors] = [textOf(child.stdout), textOf(child.stderr)]
  // It may end before it has read everything; then it says why.
  const fed = pipeline(content, child.stdin).catch((error: unknown) => error)
  try {
    const [code] = (await ended) as [number | null]
    const broken = await fed
    if (broken instanceof DataferryError) throw broken
    const lines = (await errors).trim().split('\n')
    return { code, text: await text, said: (lines.at(-1) ?? '').replace(/\.?\r?$/, '') }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof DataferryError) throw error
    const why = systemCode(error) === 'ENOENT' ? 'there is no ssh-keygen on this machine' : messageOf(error)
    throw new DataferryError('SIGNING_UNAVAILABLE', `The statement cannot be signed: ${why}.`, { cause: error })
  }
}

/** Longer than what ssh-keygen has to say. */
const LONGEST = 64 * 1024

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text = (text + chunk.toString('latin1')).slice(0, LONGEST)
  return text
}
