import { shellWord } from '../../model/shell-word.ts'
import type { Command } from '../command.ts'
import { FORM_FLAGS, readForm, readGuestbook, TRANSFER_FLAGS } from '../download-flags.ts'
import { fileOf, identify } from '../identify.ts'
import { refusedOrThrow } from '../refusal.ts'
import { SERVER_SETTINGS, Sources } from '../sources.ts'

/** `dataferry url`: a URL for another tool. */
export const command: Command = {
  examples: [
    'dataferry url 42 --server https://demo.dataverse.org',
    'dataferry url doi:10.5072/FK2/ABCDEF/GHIJKL --format original --server https://demo.dataverse.org',
  ],
  about:
    'It is either a link of the storage host, which works for a few minutes for anybody who has it, or the API’s own URL, which needs the token if the file does. Quoted for a shell where necessary. Fetches nothing.',
  operands: [{ name: 'id', help: 'a file id, a PID, or the address of a page' }],
  settings: SERVER_SETTINGS,
  flags: [...FORM_FLAGS, ...TRANSFER_FLAGS],
  run: async (context) => {
    const { config, out, args, has, signal } = context
    const [id = ''] = args
    const named = identify(id, 'any', config)
    const file = fileOf(named, id)
    const guestbookResponse = await readGuestbook(context)
    const sources = new Sources(context, [named.server])
    try {
      const url = await sources.access(named.server).getDatafileDownloadUrl(file, {
        ...readForm(context),
        countDownload: !has('no-count'),
        guestbookResponse,
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
  },
}
