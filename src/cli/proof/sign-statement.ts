import { names } from '../../batch/folder.ts'
import { NAMESPACE } from '../../proof/ssh-keygen.ts'
import { checkSignature } from '../../proof/check-signature.ts'
import { fingerprintOf, sign, signerOf, type Signing } from '../../proof/ssh-signature.ts'
import type { Records } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import type { Subject } from './statement-subject.ts'

export interface OwnSigning extends Signing {
  /** Of the key. */
  readonly fingerprint: string | undefined
}

/** Writes the signature of the list, and whose it is. One by this key that is right stays: not every key makes the same one again. */
export async function signList(
  { config }: Context,
  records: Records,
  { folder }: Subject,
  signing: OwnSigning,
): Promise<void> {
  const content = () => records.streamLog(names.recordSums(folder), 0)
  const before = Buffer.from((await records.read(names.signature(folder))) ?? []).toString('latin1')
  const isBy = fingerprintOf(before)?.endsWith(` ${signing.fingerprint ?? ''}`) ?? false
  const stays = isBy && (await checkSignature(signing, { signature: before, content }, undefined)).state === 'intact'
  const signature = stays ? before : await sign(signing, content())
  const signers =
    '# Whose signature records.sha256.sig is. Anybody can write this file: compare the key with one that you have from its owner.\n' +
    `${signerName(config)} namespaces="${NAMESPACE}" ${signerOf(signature) ?? ''}\n`
  await records.write(names.signers(folder), signers)
  await records.write(names.signature(folder), signature)
}

/** Who signed a list, by the file that was written with the signature; undefined: it is not signed. */
export async function signerOfList(records: Records, { folder }: Subject): Promise<string | undefined> {
  if ((await records.read(names.signature(folder))) === undefined) return undefined
  const signers = Buffer.from((await records.read(names.signers(folder))) ?? []).toString('latin1')
  return /^([\w.+@-]{1,320}) /m.exec(signers)?.[1]
}

/** As `allowed_signers` can have it: there a comma, a blank or an asterisk would mean something. */
function signerName({ settings }: Context['config']): string {
  const mail = settings.contactEmail ?? settings.organizationEmail ?? ''
  return /^[\w.+-]+@[\w.-]+$/.test(mail) ? mail : 'dataferry'
}
