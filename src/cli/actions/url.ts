import { shellWord } from '../../model/shell-word.ts'
import type { Command } from '../command.ts'
import { responder } from '../answers.ts'
import { readForm } from '../download-flags.ts'
import { fileOf, identify } from '../identify.ts'
import { refusedOrThrow } from '../refusal.ts'
import { Sources } from '../sources.ts'

/** What `dataferry url` does. */
export const run: Command['run'] = async (context) => {
  const { config, out, args, has, signal } = context
  const [id = ''] = args
  const named = identify(id, 'any', config)
  const file = fileOf(named, id)
  const sources = new Sources(context, [named.server])
  try {
    const url = await sources.access(named.server).getDatafileDownloadUrl(file, {
      ...readForm(context),
      countDownload: !has('no-count'),
      guestbookResponse: responder(config, named.server),
      signal,
    })
    const secret = !url.startsWith(`${named.server}/`) || /[?&](?:token|key)=/.test(url)
    out.result({ event: 'url', url, secret }, shellWord(url))
    if (secret) out.say('For a few minutes anybody with this link can fetch the file: keep it to yourself.')
    return 0
  } catch (error) {
    return refusedOrThrow(error, context)
  } finally {
    await sources.close()
  }
}
