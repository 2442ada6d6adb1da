import type { Command } from './command.ts'

/** A verb before its module is read: `--version` and `--help` need no more. */
export interface Verb {
  readonly name: string
  readonly summary: string
  load(): Promise<Command>
}

/** Every verb, in the order of the help. */
export const VERBS: readonly Verb[] = [
  {
    name: 'run',
    summary: 'bring everything in a manifest home: plan, fetch, verify, report',
    load: async () => (await import('./commands/run.ts')).command,
  },
  {
    name: 'plan',
    summary: 'fix what would be fetched and print the totals, without fetching',
    load: async () => (await import('./commands/plan.ts')).command,
  },
  {
    name: 'status',
    summary: 'show batches, servers and workers',
    load: async () => (await import('./commands/status.ts')).command,
  },
  {
    name: 'resume',
    summary: 'go on with the unfinished batches of a destination',
    load: async () => (await import('./commands/resume.ts')).command,
  },
  {
    name: 'verify',
    summary: 'read every byte of a destination again and compare it with the receipts',
    load: async () => (await import('./commands/verify.ts')).command,
  },
  {
    name: 'doctor',
    summary: 'check this machine, Redis, the server, the token and the destination',
    load: async () => (await import('./commands/doctor.ts')).command,
  },
  {
    name: 'config',
    summary: 'show every setting and where its value came from',
    load: async () => (await import('./commands/config.ts')).command,
  },
]

/** What a command line without a verb means: `dataferry MANIFEST` is `dataferry run MANIFEST`. */
export const DEFAULT_VERB = 'run'
