/** The import directions of ARCHITECTURE.md, as rules. @type {import('dependency-cruiser').IConfiguration} */
const adapters = ['dataverse', 'manifest', 'sinks', 'ledger', 'archive']
const only = (name, pkg, from) => ({
  name,
  severity: 'error',
  from: { path: '^(src|jobs|workers)/', pathNot: from },
  to: { path: `node_modules/${pkg}/` },
})
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'model-knows-nobody',
      severity: 'error',
      from: { path: '^src/(model/|errors\\.ts)' },
      to: { path: '^(src|jobs|workers)/', pathNot: '^src/(model/|errors\\.ts)' },
    },
    {
      name: 'async-knows-nobody',
      severity: 'error',
      from: { path: '^src/async/' },
      to: { path: '^(src|jobs|workers)/', pathNot: '^src/async/' },
    },
    {
      name: 'jobs-import-model-only',
      severity: 'error',
      from: { path: '^jobs/' },
      to: { path: '^(src|workers)/', pathNot: '^src/(model/|errors\\.ts)' },
    },
    ...adapters.map((adapter) => ({
      name: `${adapter}-imports-no-other-adapter`,
      severity: 'error',
      from: { path: `^src/${adapter}/` },
      to: {
        path: '^(src|workers|jobs)/',
        pathNot: `^src/(async/|json/|model/|process/|errors\\.ts|log\\.ts|make-folders\\.ts|${adapter}/)`,
      },
    })),
    {
      name: 'middle-imports-no-queue-or-cli',
      severity: 'error',
      from: { path: '^src/(plan|batch|transfer)/' },
      to: { path: '^(workers|jobs)/|^src/(queue|cli|dashboard|config)' },
    },
    {
      name: 'mirror-asks-through-the-model',
      severity: 'error',
      from: { path: '^src/mirror/' },
      to: { path: '^(workers|jobs)/|^src/(dataverse|manifest|ledger|archive|transfer|queue|cli|config)' },
    },
    {
      name: 'proof-only-hands-on',
      severity: 'error',
      from: { path: '^src/proof/' },
      to: { path: '^(workers|jobs)/|^src/(dataverse|manifest|ledger|queue|cli|config)' },
    },
    {
      name: 'transfer-imports-types-only-from-adapters',
      severity: 'error',
      from: { path: '^src/transfer/' },
      to: { path: `^src/(${adapters.join('|')})/`, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'access-knows-the-model-and-how-a-server-is-named',
      severity: 'error',
      from: { path: '^src/access/' },
      to: {
        path: '^(src|jobs|workers)/',
        pathNot: '^src/(access/|model/|errors\\.ts|config/setting-values\\.ts)',
      },
    },
    {
      name: 'json-knows-nobody',
      severity: 'error',
      from: { path: '^src/json/' },
      to: { path: '^(src|jobs|workers)/|node_modules/', pathNot: '^src/json/' },
    },
    {
      name: 'process-knows-only-errors',
      severity: 'error',
      from: { path: '^src/process/' },
      to: { path: '^(src|jobs|workers)/', pathNot: '^src/(process/|errors\\.ts)' },
    },
    {
      name: 'disk-and-s3-never-meet',
      severity: 'error',
      from: { path: '^src/sinks/(disk|s3|memory)/' },
      to: { path: '^src/sinks/(disk|s3|memory)/', pathNot: '^src/sinks/$1/' },
    },
    {
      name: 'commands-only-describe',
      severity: 'error',
      from: { path: '^src/cli/commands/' },
      to: {
        dynamic: false,
        pathNot:
          '^src/(cli/(commands/|command\\.ts|shared-flags\\.ts|access-table\\.ts|mirror/action-names\\.ts|schedule/action-names\\.ts)|config/about-settings\\.ts)',
      },
    },
    {
      name: 'schedule-stands-on-the-ledger',
      severity: 'error',
      from: { path: '^src/schedule/' },
      to: {
        path: '^(src|workers|jobs)/',
        pathNot: '^src/(schedule|async|process|ledger|model)/|^src/(errors|log)\\.ts',
      },
    },
    {
      name: 'notify-stands-on-the-ledger',
      severity: 'error',
      from: { path: '^src/notify/' },
      to: { path: '^(src|workers|jobs)/', pathNot: '^src/(notify|async|ledger|model)/|^src/(errors|log)\\.ts' },
    },
    { name: 'nothing-imports-cli', severity: 'error', from: { pathNot: '^src/cli/' }, to: { path: '^src/cli/' } },
    only('bullmq-in-workers-queue-status', 'bullmq', '^(workers/|src/queue/|src/status\\.ts)'),
    only('ioredis-in-queue-and-ledger', 'ioredis', '^src/(queue|ledger)/'),
    only('aws-sdk-in-s3', '@aws-sdk', '^src/sinks/s3/'),
    only('nodemailer-in-notify', 'nodemailer', '^src/notify/'),
    only('cron-parser-in-schedule', 'cron-parser', '^src/schedule/'),
    {
      name: 'pages-know-only-types-and-words',
      severity: 'error',
      from: { path: '^src/dashboard/pages/' },
      to: {
        path: '^(src|jobs|workers)/',
        pathNot: '^src/(dashboard/(pages/|roles\\.ts|api/schemas\\.ts)|model/)',
      },
    },
    only('hono-in-dashboard', '(@hono/node-server|hono)', '^src/dashboard/'),
    only('prom-client-in-dashboard', 'prom-client', '^src/dashboard/'),
    only('preact-in-pages', '(preact|uplot)', '^src/dashboard/pages/'),
    only('undici-in-http', 'undici', '^src/dataverse/http/'),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist' },
  },
}
