import { createHash } from 'node:crypto'
import { originalForm } from './form.ts'
import type { Context } from './context.ts'
import type { Reply } from './reply.ts'
import { archive } from './zip-archive.ts'

const JOB_LIVES_MS = 300_000

/** Hands a list of files to the external ZIP service. @returns where the archive can be fetched, once, for five minutes. */
export function zipJob(files: readonly number[], context: Context): string {
  const key = createHash('sha256').update(`${context.memory.zipJobs.size}${context.secret}`).digest('hex').slice(0, 16)
  context.memory.zipJobs.set(key, { files, at: context.clock() })
  return `${context.storageUrl}/cgi-bin/zipdownload?${key}`
}

/** The service's answer: always originals, no manifest, no limit; what fails is missing without a word (note §2.11). */
export function externalZip(url: string, context: Context): Reply | undefined {
  const key = url.slice(url.indexOf('?') + 1)
  const job = context.memory.zipJobs.get(key)
  if (!job || context.clock() - job.at > JOB_LIVES_MS) return undefined
  // The map keeps its size, from which keys follow.
  context.memory.zipJobs.set(key, { files: [], at: -Infinity })
  const files = job.files.map((id) => context.world.file(id)).filter((file) => file !== undefined)
  const entries = files
    .filter((file) => file.spec.store !== 'missing')
    .map((file) => {
      const form = originalForm(file)
      return { name: [file.directory, form.name].filter(Boolean).join('/'), open: () => form.content }
    })
  return {
    status: 200,
    headers: { 'Content-Type': 'application/zip', 'Content-Disposition': 'attachment; filename="dataverse_files.zip"' },
    body: { kind: 'stream', chunks: archive(entries) },
  }
}
