import type { Command } from '../command.ts'
import { FORM_FLAGS, SERVER_SETTINGS, TRANSFER_FLAGS } from '../shared-flags.ts'

/** `dataferry url`: a URL for another tool. */
export const command: Command = {
  examples: [
    'dataferry url 42 --server https://demo.dataverse.org',
    'dataferry url doi:10.5072/FK2/ABCDEF/GHIJKL --format original --server https://demo.dataverse.org',
  ],
  about:
    'It is either a link of the storage host, which works for a few minutes for anybody who has it, or the API’s own URL, which needs the token if the file does. Quoted for a shell where necessary. Fetches nothing.',
  operands: [{ name: 'id', help: 'a file id, a PID, or the address of a page' }],
  settings: [...SERVER_SETTINGS, 'guestbook'],
  flags: [...FORM_FLAGS, ...TRANSFER_FLAGS],
  run: async (context) => (await import('../actions/url.ts')).run(context),
}
