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
    summary: 'fetch everything in a manifest: plan, download, verify, report',
    load: async () => (await import('./commands/run.ts')).command,
  },
  {
    name: 'plan',
    summary: 'work out what would be fetched and print the totals, without fetching',
    load: async () => (await import('./commands/plan.ts')).command,
  },
  {
    name: 'status',
    summary: 'show batches, servers and workers',
    load: async () => (await import('./commands/status.ts')).command,
  },
  {
    name: 'resume',
    summary: 'continue the unfinished batches of a destination',
    load: async () => (await import('./commands/resume.ts')).command,
  },
  {
    name: 'enqueue',
    summary: 'plan a manifest and leave the fetching to workers',
    load: async () => (await import('./commands/enqueue.ts')).command,
  },
  {
    name: 'work',
    summary: 'fetch what was enqueued, with any number of processes and machines',
    load: async () => (await import('./commands/work.ts')).command,
  },
  {
    name: 'mirror',
    summary: 'keep a collection, a search or a list of datasets at home, version by version',
    load: async () => (await import('./commands/mirror.ts')).command,
  },
  {
    name: 'schedule',
    summary: 'run mirrors, manifests and checks at their times',
    load: async () => (await import('./commands/schedule.ts')).command,
  },
  {
    name: 'serve',
    summary: 'work, run schedules and show the dashboard, as a service',
    load: async () => (await import('./commands/serve.ts')).command,
  },
  {
    name: 'notify',
    summary: 'test whether those who are to be told can be',
    load: async () => (await import('./commands/notify.ts')).command,
  },
  {
    name: 'pause',
    summary: 'pause a batch or a server; files in flight are parked',
    load: async () => (await import('./commands/pause.ts')).command,
  },
  {
    name: 'continue',
    summary: 'lift a pause, or take up a cancelled batch again',
    load: async () => (await import('./commands/continue.ts')).command,
  },
  {
    name: 'cancel',
    summary: 'stop fetching a batch',
    load: async () => (await import('./commands/cancel.ts')).command,
  },
  {
    name: 'forget',
    summary: 'remove a batch from Redis; its files and records stay',
    load: async () => (await import('./commands/forget.ts')).command,
  },
  {
    name: 'retry',
    summary: 'retry the failed files of a batch',
    load: async () => (await import('./commands/retry.ts')).command,
  },
  {
    name: 'limit',
    summary: 'limit the files at a time and the rate of a server, for all workers',
    load: async () => (await import('./commands/limit.ts')).command,
  },
  {
    name: 'verify',
    summary: 're-read every file of a destination and compare it with its receipt',
    load: async () => (await import('./commands/verify.ts')).command,
  },
  {
    name: 'repair',
    summary: 'fetch again what is missing or changed, and only that',
    load: async () => (await import('./commands/repair.ts')).command,
  },
  {
    name: 'bag',
    summary: 'hand on what was fetched as BagIt bags; check and complete any bag',
    load: async () => (await import('./commands/bag.ts')).command,
  },
  {
    name: 'export',
    summary: 'hand on what was fetched as RO-Crates or OCFL objects',
    load: async () => (await import('./commands/export.ts')).command,
  },
  {
    name: 'get',
    summary: 'fetch one file, or one ZIP, verified, to a file or to standard output',
    load: async () => (await import('./commands/get.ts')).command,
  },
  {
    name: 'url',
    summary: 'print a URL that a file can be fetched from',
    load: async () => (await import('./commands/url.ts')).command,
  },
  {
    name: 'access',
    summary: 'request access to a restricted file, or decide on requests',
    load: async () => (await import('./commands/access.ts')).command,
  },
  {
    name: 'guestbook',
    summary: 'print what a guestbook asks, as a file to fill in',
    load: async () => (await import('./commands/guestbook.ts')).command,
  },
  {
    name: 'clean',
    summary: 'remove partial files and uploads that nothing will continue',
    load: async () => (await import('./commands/clean.ts')).command,
  },
  {
    name: 'doctor',
    summary: 'check this machine, Redis, the server, the token and the destination',
    load: async () => (await import('./commands/doctor.ts')).command,
  },
  {
    name: 'dashboard',
    summary: 'show batches, servers, workers and mirrors in a browser',
    load: async () => (await import('./commands/dashboard.ts')).command,
  },
  {
    name: 'config',
    summary: 'show every setting and where its value came from',
    load: async () => (await import('./commands/config.ts')).command,
  },
]

/** What a command line without a verb means: `dataferry MANIFEST` is `dataferry run MANIFEST`. */
export const DEFAULT_VERB = 'run'
