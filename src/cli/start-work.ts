import { PUBLIC_SCOPE } from '../../jobs/scope.ts'
import { Answered } from '../ledger/answered.ts'
import { memoryPressure } from '../queue/redis-settings.ts'
import { startWorkers, type RunningWorkers } from '../../workers/run.ts'
import type { ScopeOfWork } from '../../workers/wiring.ts'
import type { Context } from './command.ts'
import type { Runtime } from './runtime.ts'
import type { Sources } from './sources.ts'
import { openDestination, type MayOpen } from './destination.ts'

/**
 * Starts this process's workers with the settings of the command line.
 * @param mayOpen whether they work for a destination; undefined: for each
 */
export function startWork(
  { config, log }: Pick<Context, 'config' | 'log'>,
  runtime: Runtime,
  sources: Sources,
  scopes: readonly ScopeOfWork[],
  mayOpen?: MayOpen,
): Promise<RunningWorkers> {
  const {
    accessLookMs: lookEveryMs,
    segments,
    bundleFiles,
    bundleBytes,
    outageFirstMs,
    outageMaxMs,
    giveUpAfterMs,
  } = config.settings
  const { prefix, jobs, retries, throttleFirstMs, throttleMaxMs, retryFirstMs, retryMaxMs } = config.settings
  const answered = new Answered(runtime.client, prefix)
  return startWorkers(
    {
      ...runtime,
      openSink: (url) => openDestination(config, url),
      mayOpen,
      openSource: (server, scope, batch) => sources.source(server, scope !== PUBLIC_SCOPE, answered.of(batch)),
      access: (server, scope, takeSlot) => sources.fileAccess(server, scope !== PUBLIC_SCOPE, takeSlot),
      tokens: sources.tokens,
      tokenExpiry: (server) => sources.tokenExpiry(server),
      isUp: (server) => sources.isUp(server),
      zipLimit: (server) => sources.native(server).zipDownloadLimit(),
      limitBandwidth: (server, bytesPerSecond) => sources.limit(server, bytesPerSecond),
      memoryPressure: () => memoryPressure(runtime.client),
      counts: sources.counts,
      log,
    },
    {
      prefix,
      scopes,
      jobs,
      attempts: retries,
      throttle: { firstMs: throttleFirstMs, maxMs: throttleMaxMs },
      outage: { firstMs: outageFirstMs, maxMs: outageMaxMs },
      giveUpAfterMs,
      lookEveryMs,
      segments,
      retry: { firstMs: retryFirstMs, maxMs: retryMaxMs },
      bundles: { files: bundleFiles, bytes: bundleBytes },
    },
  )
}
