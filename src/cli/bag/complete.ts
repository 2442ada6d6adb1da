import { stat } from 'node:fs/promises'
import { openUrl } from '../../dataverse/open-url.ts'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import type { OpenBody } from '../../model/source.ts'
import { completeBag, type OpenUrl } from '../../proof/bagit/complete-bag.ts'
import type { Context, ExitCode } from '../command.ts'
import { fileOf, identify } from '../identify.ts'
import { clientOptions, httpFor, Sources } from '../sources.ts'
import { plural } from '../../model/format.ts'

const CONNECTIONS = 4

/** `dataferry bag complete`: 0 everything that fetch.txt names is there. */
export async function completeOneBag(context: Context, place: string): Promise<ExitCode> {
  const { config, out, signal } = context
  await refuseOther(place)
  const { retries, retryFirstMs } = config.settings
  const sources = new Sources(context)
  const http = httpFor(context, CONNECTIONS)
  try {
    const { fetched, there, failed } = await completeBag(place, {
      open: opener(context, sources, http),
      attempts: retries,
      firstWaitMs: retryFirstMs,
      signal,
      onFile: ({ path, url }, failure) => {
        const record = { event: 'bag-file', path, ...(failure && { code: failure.code, message: failure.message }) }
        if (failure) out.result(record, `failed  ${path}  ${failure.message}`, 'bad')
        else out.result(record, `fetched  ${path}  from ${new URL(url).host}`)
      },
    })
    out.record({ event: 'bag-completed', bag: place, fetched, there, failed })
    const parts = [`${plural(fetched, 'file')} fetched`, `${there} there already`, `${failed} failed`]
    out.paragraph(`${place}: ${parts.join(', ')}`, failed === 0 ? 'good' : 'bad')
    return failed === 0 ? 0 : 1
  } finally {
    await sources.close()
    await http.close()
  }
}

/** Files come into a folder of this machine. Rejects with `ARGUMENT_INVALID`. */
async function refuseOther(place: string): Promise<void> {
  const why = await stat(place).then(
    (found) => (found.isDirectory() ? undefined : 'it is not a folder: unpack the bag first'),
    (error: unknown) =>
      /^s3:\/\//i.test(place)
        ? 'it is in a bucket: copy it to a folder first'
        : systemCode(error) === 'ENOENT'
          ? 'there is nothing'
          : messageOf(error),
  )
  if (why !== undefined) throw new DataferryError('ARGUMENT_INVALID', `${place} cannot be completed: ${why}.`)
}

/** A bag comes from somebody else: only servers and hosts that the user named are asked. */
function opener({ config }: Context, sources: Sources, http: ReturnType<typeof httpFor>): OpenUrl {
  const { servers, settings } = config
  return async (url, from, signal): Promise<OpenBody> => {
    const server = servers.find((base) => url.startsWith(`${base}/`))
    if (server !== undefined) {
      const identified = identify(url, 'file', { servers: [server] })
      const file = fileOf(identified, url)
      const ref = { kind: 'file', file, format: identified.format ?? 'archival' } as const
      return sources.source(server)(ref, from, { signal, count: from === 0, continuable: true })
    }
    const { host, hostname, origin } = new URL(url)
    if (settings.allowHost.includes(host) || settings.allowHost.includes(hostname)) {
      return openUrl(url, from, { http, ...clientOptions(config) }, signal)
    }
    const message = `${host} was not asked: give --server ${origin} if it is a Dataverse, or --allow-host ${host}.`
    throw new DataferryError('ARGUMENT_INVALID', message)
  }
}
