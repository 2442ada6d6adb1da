import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { ProcessIdentity } from './process-identity.ts'

const identitySchema = z.object({ host: z.string(), space: z.string(), pid: z.number().int(), startTime: z.string() })

/** Reads a process identity that was written as JSON; undefined for anything else. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    return identitySchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** As `parseIdentity`, of a file that may be missing. */
export async function readIdentity(path: string): Promise<ProcessIdentity | undefined> {
  return parseIdentity(await readFile(path, 'utf8').catch(() => ''))
}
