import { access, constants, stat } from 'node:fs/promises'
import { names } from '../../batch/folder.ts'
import { LIST } from '../../batch/record-sums.ts'
import { environment } from '../../config/environment.ts'
import { DataferryError, systemCode } from '../../errors.ts'
import { checkSignature, type SignatureFinding } from '../../proof/check-signature.ts'
import { signerOf } from '../../proof/ssh-signature.ts'
import type { Records } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import type { Subject } from './statement-subject.ts'

/** The flag that names the keys that may have signed. */
export const SIGNERS = 'allowed-signers'

export type Signature = SignatureFinding | { readonly state: 'none' }

/**
 * Checks the signature of the list of records, if there is one, with the keys that the user trusts, if any were named. Rejects with
 * `SIGNING_UNAVAILABLE` and `TEMP_UNUSABLE`.
 */
export async function findSignature(
  { text, signal }: Context,
  records: Records,
  { folder }: Subject,
): Promise<Signature> {
  const signersFile = text(SIGNERS)
  const bytes = await records.read(names.signature(folder))
  const beside = await records.read(names.signers(folder))
  if (!bytes) {
    if (beside) return { state: 'bad', why: 'is missing, although allowed_signers says that there was one' }
    return signersFile === undefined ? { state: 'none' } : { state: 'bad', why: 'is missing: nobody has signed it' }
  }
  const signature = Buffer.from(bytes).toString('latin1')
  const signed = { signature, content: () => records.streamLog(names.recordSums(folder), 0) }
  const found = await checkSignature({ environment: environment(), signal }, signed, signersFile)
  if (found.state !== 'intact' || !beside) return found
  if (Buffer.from(beside).includes(signerOf(signature) ?? '')) return found
  return { state: 'bad', why: `is by the key ${found.key}, and allowed_signers beside it names another one` }
}

/** What a signature proves, for people. */
export function signatureText(signature: Signature): string {
  switch (signature.state) {
    case 'none':
      return 'The statement is not signed: its records fit, but nothing proves who made it. Sign it with --sign in place of --check.'
    case 'bad':
      return `The signature of the statement, ${LIST}.sig, ${signature.why}.`
    case 'intact':
      return (
        `The statement is as it was signed with the key ${signature.key}. Whose key that is was not checked: compare it with ` +
        `one that you have from its owner, or give --${SIGNERS} FILE.`
      )
    case 'good':
      return `The statement is as ${signature.signer} signed it, with a key that the file of --${SIGNERS} allows: ${signature.key}.`
  }
}

/** Rejects with `ARGUMENT_INVALID` unless the file of the signers, if one was named, can be read. */
export async function checkSigners({ text }: Context): Promise<void> {
  const file = text(SIGNERS)
  if (file === undefined) return
  try {
    await access(file, constants.R_OK)
    if ((await stat(file)).isFile()) return
  } catch (error) {
    if (systemCode(error) === undefined) throw error
  }
  throw new DataferryError('ARGUMENT_INVALID', `--${SIGNERS} ${file} is not a file that can be read.`)
}
