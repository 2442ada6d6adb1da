import { readAnswers } from '../access/read-answers.ts'
import { lackText, respond } from '../access/respond.ts'
import type { Answers } from '../access/answers.ts'
import { tokenFor, type LoadedConfig } from '../config/config.ts'
import { DataferryError } from '../errors.ts'
import type { Guestbook, Respond } from '../model/guestbook.ts'

const read = new WeakMap<LoadedConfig, Promise<Answers>>()

/** The answers that the `guestbook` setting names, read once; undefined without one. Rejects with `CONFIG_INVALID`. */
export async function answersOf(config: LoadedConfig): Promise<Answers | undefined> {
  const { guestbook: path } = config.settings
  if (path === undefined) return undefined
  const reading = read.get(config) ?? readAnswers(path, config.servers, config.sourceOf('guestbook').name)
  read.set(config, reading)
  return reading
}

/** What answers the guestbooks of one server, from the file of the settings; undefined without one. */
export function responder(config: LoadedConfig, server: string, withToken = true): Respond | undefined {
  if (config.settings.guestbook === undefined) return undefined
  const account = withToken && tokenFor(config, server) !== undefined ? 'user' : 'guest'
  return async (guestbook) => {
    const { response, lacks } = respond(await answersOf(config), guestbook, server, account)
    if (lacks.length === 0) return response
    const message = `The answers given do not fit ${guestbookName(guestbook)} of ${server}: ${lackText(lacks)}.`
    throw new DataferryError('SOURCE_GUESTBOOK', message)
  }
}

/** `guestbook 7 (Use of the data)` */
export function guestbookName({ id, name }: Pick<Guestbook, 'id' | 'name'>): string {
  return `guestbook ${id}${name === '' ? '' : ` (${name})`}`
}
