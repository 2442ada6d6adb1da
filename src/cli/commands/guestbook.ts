import type { Command } from '../command.ts'
import { SERVER_SETTINGS } from '../shared-flags.ts'

/** `dataferry guestbook`: what a guestbook asks, as a file to fill in. */
export const command: Command = {
  examples: [
    'dataferry guestbook show doi:10.5072/FK2/ABCDEF --server https://demo.dataverse.org',
    'dataferry guestbook show 42 --server https://demo.dataverse.org --json',
  ],
  about:
    'Prints the questions as YAML with room for the answers: put it into a file. Filled in, that is given to run, enqueue, mirror, work or get ' +
    'with --guestbook; it is sent only where a server demands it, and kept nowhere else.',
  operands: [
    { name: 'action', help: 'show' },
    { name: 'id', help: 'a dataset or a file: its id, PID, or the address of its page' },
  ],
  settings: SERVER_SETTINGS,
  flags: [],
  run: async (context) => (await import('../actions/guestbook.ts')).run(context),
}
