import { hash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { DataferryError, systemCode } from '../errors.ts'
import { shellWord } from '../model/shell-word.ts'
import { NAMESPACE, sshKeygen, type Keygen } from './ssh-keygen.ts'

export interface Signing extends Keygen {
  /** A private key, or the public one of a key that an agent has. */
  readonly keyFile: string
}

/**
 * Whether a file is a key by which something can be signed. Rejects with `SIGNING_UNAVAILABLE` and `ARGUMENT_INVALID`.
 * @returns its fingerprint, `SHA256:…`; undefined where only its owner can read that
 */
export async function checkKey(signing: Signing): Promise<string | undefined> {
  const { keyFile } = signing
  const refused = (why: string): DataferryError =>
    new DataferryError('ARGUMENT_INVALID', `--sign ${keyFile}: ${why}. Give the file of a private SSH key.`)
  const found = await stat(keyFile).catch((error: unknown) => systemCode(error) ?? 'EIO')
  if (typeof found === 'string') {
    throw refused(found === 'ENOENT' ? 'there is no such file' : `the file cannot be read (${found})`)
  }
  if (!found.isFile()) throw refused('it is not a file')
  const { code, text, said } = await sshKeygen(signing, ['-l', '-f', keyFile])
  if (code !== 0 && !/passphrase/.test(said)) throw refused('ssh-keygen finds no key in it')
  return /SHA256:\S+/.exec(text)?.[0]
}

/**
 * Signs bytes: a detached signature, as text, that `ssh-keygen -Y verify` checks. Nothing is ever asked for: a key with a passphrase
 * comes from an agent. Rejects with `SIGNING_UNAVAILABLE`.
 */
export async function sign(signing: Signing, content: AsyncIterable<Uint8Array>): Promise<string> {
  const { keyFile } = signing
  const { code, text, said } = await sshKeygen(signing, ['-Y', 'sign', '-f', keyFile, '-n', NAMESPACE], content)
  if (code === 0 && signerOf(text) !== undefined) return text
  const { why, advice } = faultOf(keyFile, said)
  throw new DataferryError('SIGNING_UNAVAILABLE', `Nothing could be signed with ${keyFile}: ${why}.`, { advice })
}

/** Why a key is of no use, from what ssh-keygen says of it, and what helps. */
function faultOf(keyFile: string, said: string): { readonly why: string; readonly advice: string } {
  const again = 'then run the same command again.'
  // Of a public key, ssh-keygen looks for the private one beside it.
  const privateFile = keyFile.replace(/\.pub$/, '')
  const add = `Add the key to ssh-agent with \`ssh-add ${shellWord(privateFile)}\`, ${again}`
  if (/agent refused/.test(said)) {
    return {
      why: 'ssh-agent refused to use the key',
      advice: `Confirm it where the agent asks, or unlock the agent with \`ssh-add -X\`, ${again}`,
    }
  }
  if (/too open/.test(said)) {
    const file = shellWord(privateFile)
    return {
      why: 'others may read the private key, so ssh-keygen does not use it',
      advice: `Keep it to yourself with \`chmod 600 ${file}\`, ${again}`,
    }
  }
  if (/passphrase/.test(said)) return { why: 'it has a passphrase, and no ssh-agent has the key', advice: add }
  if (/No private key found/.test(said)) {
    return {
      why: 'it is a public key, and its private key is neither beside it nor in ssh-agent',
      advice: `Give the file of the private key, or add that to ssh-agent with \`ssh-add\`, ${again}`,
    }
  }
  return { why: lastLine(said), advice: 'Give another private SSH key with --sign.' }
}

function lastLine(said: string): string {
  return (said.split('\n').at(-1) ?? '').replace(/\.?\r?$/, '')
}

/**
 * The public key in a signature, as `authorized_keys` and `allowed_signers` have it: `ssh-ed25519 AAAA…`.
 * @see PROTOCOL.sshsig of OpenSSH: the text `SSHSIG`, a version, the public key, which begins with its type
 */
export function signerOf(signature: string): string | undefined {
  const key = keyIn(signature)
  return key && `${key.type} ${key.bytes.toString('base64')}`
}

/** The key of a signature as `ssh-keygen -l` names it: `ssh-ed25519 SHA256:…`. */
export function fingerprintOf(signature: string): string | undefined {
  const key = keyIn(signature)
  return key && `${key.type} SHA256:${hash('sha256', key.bytes, 'base64').replace(/=+$/, '')}`
}

function keyIn(signature: string): { readonly type: string; readonly bytes: Buffer } | undefined {
  const [, base64 = ''] =
    /^-----BEGIN SSH SIGNATURE-----\n([\w+/=\n]+)-----END SSH SIGNATURE-----/.exec(signature) ?? []
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
  const key = stringAt(bytes, MAGIC.length + LENGTH_BYTES)
  const type = key && stringAt(key, 0)?.toString('latin1')
  return key && type !== undefined && TYPE.test(type) ? { type, bytes: key } : undefined
}

const MAGIC = 'SSHSIG'
const LENGTH_BYTES = 4
const TYPE = /^[\w@.-]{1,64}$/

/** Bytes with their length before them. */
function stringAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + LENGTH_BYTES > bytes.length) return undefined
  const from = at + LENGTH_BYTES
  const to = from + bytes.readUInt32BE(at)
  return to > bytes.length ? undefined : bytes.subarray(from, to)
}
