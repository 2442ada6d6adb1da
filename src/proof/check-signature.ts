import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataferryError, messageOf } from '../errors.ts'
import { NAMESPACE, sshKeygen, type Keygen } from './ssh-keygen.ts'
import { fingerprintOf } from './ssh-signature.ts'

/** A detached signature and what it is said to be of. */
export interface Signed {
  readonly signature: string
  /** The same bytes each time. */
  readonly content: () => AsyncIterable<Uint8Array>
}

/**
 * What a signature proves.
 * - `intact`: the content is what the owner of `key` signed; whose key that is was not checked
 * - `good`: the same, and the list of signers says that the key is `signer`'s
 * - `bad`: nothing; `why` is the rest of a sentence about the signature
 */
export type SignatureFinding =
  | { readonly state: 'intact'; readonly key: string }
  | { readonly state: 'good'; readonly key: string; readonly signer: string }
  | { readonly state: 'bad'; readonly why: string }

/**
 * Checks a signature, of a statement, by ssh-keygen. Rejects with `SIGNING_UNAVAILABLE` where there is none, and `TEMP_UNUSABLE`.
 * @param signersFile an `allowed_signers` file; undefined: whose key it is cannot be checked
 */
export async function checkSignature(
  keygen: Keygen,
  { signature, content }: Signed,
  signersFile: string | undefined,
): Promise<SignatureFinding> {
  const key = signature.length > LONGEST ? undefined : fingerprintOf(signature)
  if (key === undefined) return { state: 'bad', why: 'is no SSH signature' }
  const folder = await newFolder()
  try {
    const file = join(folder, 'sig')
    await writeFile(file, signature)
    const ask = (action: string, ...more: readonly string[]) =>
      sshKeygen(keygen, ['-Y', action, '-n', NAMESPACE, '-s', file, ...more], content())
    const { code, said } = await ask('check-novalidate')
    if (code !== 0) return { state: 'bad', why: whyBroken(said) }
    if (signersFile === undefined) return { state: 'intact', key }
    const { text, said: saidOfNames } = await ask('find-principals', '-f', signersFile)
    let refusal = saidOfNames
    // Before OpenSSH 8.9 several names of one key were one line.
    for (const signer of text.split(/[\n,]/).filter((name) => name !== '')) {
      const verified = await ask('verify', '-f', signersFile, '-I', signer)
      if (verified.code === 0) return { state: 'good', key, signer }
      refusal = verified.said
    }
    return { state: 'bad', why: `is by the key ${key}, ${whyForeign(refusal, signersFile)}` }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'dataferry-signature-')).catch((cause: unknown) => {
    throw new DataferryError('TEMP_UNUSABLE', `No folder could be made in ${tmpdir()}: ${messageOf(cause)}.`, { cause })
  })
}

/** One by RSA with 16,384 bits has 6 KiB. */
const LONGEST = 64 * 1024

function whyBroken(said: string): string {
  if (/namespace/.test(said)) return `was made for another purpose than ${NAMESPACE}`
  if (/incorrect signature/.test(said)) return 'does not fit the list: one of the two was changed since it was made'
  return 'is damaged'
}

function whyForeign(said: string, signersFile: string): string {
  if (/namespace/.test(said)) return `which ${signersFile} allows for other purposes only, not for ${NAMESPACE}`
  if (/expired|not yet valid/.test(said)) return `which ${signersFile} allows at another time, but not now`
  return `which ${signersFile} does not allow`
}
