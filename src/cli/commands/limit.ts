import type { Command } from '../command.ts'

/** `dataferry limit`: concurrency and rate limits of one server, for all workers together. */
export const command: Command = {
  examples: [
    'dataferry limit https://demo.dataverse.org --concurrency 8 --rate 50M',
    'dataferry limit https://demo.dataverse.org --rate none',
  ],
  about: 'All workers on all machines obey within seconds; files in flight continue. `none` removes a limit.',
  operands: [{ name: 'server', help: 'address of the server' }],
  settings: [],
  flags: [
    { flags: '--concurrency <n>', help: 'files at a time, 1 to 64, or none for the workers’ default' },
    { flags: '--rate <rate>', help: 'bytes per second, e.g. 500K or 50M, or none' },
  ],
  run: async (context) => (await import('../actions/limit.ts')).run(context),
}
