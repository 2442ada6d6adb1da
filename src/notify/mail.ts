import { createTransport } from 'nodemailer'
import type { EventKind, NotifyEvent } from './event.ts'
import type { NotifyTarget } from './target.ts'

export interface MailOptions {
  /** `smtp://` (STARTTLS where the server has it) or `smtps://`; may name a user. */
  readonly smtp: string
  readonly password: string | undefined
  readonly from: string
  readonly to: readonly string[]
  readonly kinds: readonly EventKind[] | undefined
  readonly ca: readonly string[] | undefined
}

const PATIENCE_MS = 30_000

/** Mail over SMTP: plain text, one to all. */
export function mail({ smtp, password, from, to, kinds, ca }: MailOptions): NotifyTarget {
  const { protocol, hostname, port, username } = new URL(smtp)
  const transport = createTransport({
    host: hostname,
    port: Number(port) || (protocol === 'smtps:' ? 465 : 587),
    secure: protocol === 'smtps:',
    // A password never goes over a connection that others can read.
    requireTLS: protocol === 'smtp:' && password !== undefined,
    ...(username !== '' && { auth: { user: decodeURIComponent(username), pass: password ?? '' } }),
    ...(ca && { tls: { ca: [...ca] } }),
    connectionTimeout: PATIENCE_MS,
    greetingTimeout: PATIENCE_MS,
    socketTimeout: PATIENCE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const send = async (event: NotifyEvent): Promise<void> => {
    await transport.sendMail({
      from,
      to: [...to],
      subject: `dataferry: ${subjectOf(event)}`,
      text: textOf(event),
      // A mail that was sent twice, since its answer was lost, is shown once by most readers.
      messageId: `<${Buffer.from(event.id).toString('base64url')}@dataferry>`,
      headers: { 'X-Dataferry-Event': encodeURIComponent(event.id), 'Auto-Submitted': 'auto-generated' },
    })
  }
  return { key: `mail ${to.join(' ')}`, name: `mail to ${to.join(', ')}`, kinds, send }
}

const LONGEST_SUBJECT = 100

function subjectOf({ text }: NotifyEvent): string {
  const line = text.split('\n', 1)[0] ?? ''
  return line.length > LONGEST_SUBJECT ? `${line.slice(0, LONGEST_SUBJECT)}…` : line
}

function textOf({ text, at, facts, id }: NotifyEvent): string {
  const rows = Object.entries(facts).map(([name, value]) => `${name}: ${value}`)
  return [text, '', ...rows, `at: ${at}`, `event: ${id}`, ''].join('\n')
}
