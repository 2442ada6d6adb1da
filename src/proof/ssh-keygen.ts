import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { DataferryError, messageOf, systemCode } from '../errors.ts'

/** What a signature is for: one for another purpose does not count as one for this. */
export const NAMESPACE = 'dataferry'

/** How ssh-keygen is run. */
export interface Keygen {
  /** Of this process: ssh-keygen gets only what it needs of it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

export interface Answer {
  readonly code: number | null
  readonly text: string
  /** All that it wrote to standard error. */
  readonly said: string
}

/**
 * Runs ssh-keygen, which can ask for nothing: it has no terminal. Rejects with `SIGNING_UNAVAILABLE` where there is none, and with what
 * `content` rejects with.
 */
export async function sshKeygen(
  { environment, signal }: Keygen,
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
    return { code, text: await text, said: (await errors).trim() }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof DataferryError) throw error
    const isMissing = systemCode(error) === 'ENOENT'
    const message = isMissing
      ? 'There is no ssh-keygen on this machine, so nothing can be signed, and no signature checked.'
      : `ssh-keygen could not be run: ${messageOf(error)}.`
    throw new DataferryError('SIGNING_UNAVAILABLE', message, {
      cause: error,
      advice: 'Install OpenSSH 8.2 or newer, then run the same command again.',
    })
  }
}

/** Longer than what ssh-keygen has to say. */
const LONGEST = 64 * 1024

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text = (text + chunk.toString('latin1')).slice(0, LONGEST)
  return text
}
