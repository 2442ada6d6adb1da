import { memoryPressure } from '../queue/redis-settings.ts'
import { startWorkers, type RunningWorkers } from '../../workers/run.ts'
import type { Context } from './command.ts'
import type { Runtime } from './runtime.ts'
import type { Sources } from './sources.ts'
import { openDestination } from './destination.ts'

/** Starts this process's workers with the settings of the command line. */
export function startWork(
  { config, log }: Pick<Context, 'config' | 'log'>,
  runtime: Runtime,
  sources: Sources,
  servers: readonly string[],
): Promise<RunningWorkers> {
  const { bundleFiles, bundleBytes } = config.settings
  const { prefix, jobs, retries, throttleFirstMs, throttleMaxMs, retryFirstMs, retryMaxMs } = config.settings
  return startWorkers(
    {
      ...runtime,
      openSink: (url) => openDestination(config, url),
      openSource: (server) => sources.source(server),
      zipLimit: (server) => sources.native(server).zipDownloadLimit(),
      limitBandwidth: (server, bytesPerSecond) => sources.limit(server, bytesPerSecond),
      memoryPressure: () => memoryPressure(runtime.client),
      log,
    },
    {
      prefix,
      servers,
      jobs,
      attempts: retries,
      throttle: { firstMs: throttleFirstMs, maxMs: throttleMaxMs },
      retry: { firstMs: retryFirstMs, maxMs: retryMaxMs },
      bundles: { files: bundleFiles, bytes: bundleBytes },
    },
  )
}
