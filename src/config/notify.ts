import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { DataferryError, messageOf } from '../errors.ts'
import { shellWord } from '../model/shell-word.ts'
import { EVENT_KINDS } from '../notify/event.ts'
import { expandPath, type Surroundings } from './file.ts'
import { durationMs } from './setting-values.ts'
import { othersMayRead } from './tokens.ts'

const kinds = z.array(z.enum(EVENT_KINDS, { error: `expected some of ${EVENT_KINDS.join(', ')}` })).optional()
const url = (protocols: RegExp, wanted: string) =>
  z.string({ error: `expected ${wanted}` }).refine((text) => URL.canParse(text) && protocols.test(text), {
    error: `expected ${wanted}`,
  })
const file = z.string().min(1).optional()

const webhookSchema = z.strictObject({
  url: url(/^https?:\/\//i, 'the URL of a receiver such as https://hooks.example.org/dataferry').refine(
    (text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''),
    { error: 'a user name or password does not belong in it; sign what is sent with secretFile or secretEnv' },
  ),
  secretFile: file,
  secretEnv: file,
  events: kinds,
})
const mailSchema = z.strictObject({
  smtp: url(/^smtps?:\/\//i, 'a mail server such as smtps://user@mail.example.org:465').refine(
    (text) => !URL.canParse(text) || new URL(text).password === '',
    { error: 'a password does not belong in the config file; use passwordFile or passwordEnv' },
  ),
  passwordFile: file,
  passwordEnv: file,
  from: z.string({ error: 'expected a mail address' }).regex(/^[^\r\n]*@[^\r\n]+$/, 'expected a mail address'),
  to: z.array(z.string().regex(/^[^\r\n,]+@[^\r\n,]+$/, 'expected a mail address')).min(1),
  events: kinds,
})
const notifySchema = z.strictObject({
  webhooks: z.array(webhookSchema).default([]),
  mail: mailSchema.optional(),
  staleAfter: durationMs(1).default(48 * 3_600_000),
})

/** Where a secret is; read when it is needed. */
export interface SecretPlace {
  readonly file: string | undefined
  readonly env: string | undefined
  /** For messages: the config file and the key. */
  readonly key: string
}

type Parsed = z.infer<typeof notifySchema>

/** The `notify` section of the config file. Holds no secret. */
export interface NotifySettings {
  readonly webhooks: readonly (Parsed['webhooks'][number] & { readonly secret: SecretPlace })[]
  readonly mail: (NonNullable<Parsed['mail']> & { readonly password: SecretPlace }) | undefined
  /** A mirror without a complete run for so long is stale. */
  readonly staleAfterMs: number
}

/** Reads the section, adding a line to `problems` for everything in it that cannot be used. */
export function readNotify(
  raw: unknown,
  path: string | undefined,
  at: Surroundings,
  problems: string[],
): NotifySettings | undefined {
  if (raw === undefined || path === undefined) return undefined
  const parsed = notifySchema.safeParse(raw)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const key = ['notify', ...issue.path].join('.')
      problems.push(`${path}, key "${key}": ${issue.message}`)
    }
    return undefined
  }
  const place = (key: string, file: string | undefined, env: string | undefined): SecretPlace => {
    if (file !== undefined && env !== undefined) problems.push(`${path}, key "${key}": give the file or the variable`)
    const expanded = file === undefined ? undefined : expandPath(file, dirname(path), at.home)
    return { file: expanded, env, key: `${path}, key "${key}"` }
  }
  const { webhooks, mail, staleAfter } = parsed.data
  return {
    webhooks: webhooks.map((one, n) => ({
      ...one,
      secret: place(`notify.webhooks.${n}`, one.secretFile, one.secretEnv),
    })),
    mail: mail && { ...mail, password: place('notify.mail', mail.passwordFile, mail.passwordEnv) },
    staleAfterMs: staleAfter,
  }
}

/** Where the secrets are that these settings name. */
export function secretPlaces(notify: NotifySettings | undefined): readonly SecretPlace[] {
  const ofWebhooks = notify?.webhooks.map(({ secret }) => secret) ?? []
  return notify?.mail ? [...ofWebhooks, notify.mail.password] : ofWebhooks
}

/**
 * Reads a secret; undefined where none is named. Throws `CONFIG_INVALID` where it is not there.
 * @param onWarning told when others can read its file
 */
export function readSecret(
  { file, env, key }: SecretPlace,
  variables: Readonly<Record<string, string | undefined>>,
  onWarning: (text: string) => void,
): string | undefined {
  if (file === undefined && env === undefined) return undefined
  if (env !== undefined) {
    const text = variables[env]?.trim()
    if (text) return text
    throw new DataferryError('CONFIG_INVALID', `${key}: the variable ${env} is not set.`)
  }
  const path = file ?? ''
  try {
    const text = readFileSync(path, 'utf8').trim()
    if (othersMayRead(path)) onWarning(`other users can read ${path}; run: chmod 600 ${shellWord(path)}`)
    if (text !== '') return text
  } catch (error) {
    throw new DataferryError('CONFIG_INVALID', `${key}: the file cannot be read: ${messageOf(error)}`, { cause: error })
  }
  throw new DataferryError('CONFIG_INVALID', `${key}: ${path} is empty; write the secret into it.`)
}
