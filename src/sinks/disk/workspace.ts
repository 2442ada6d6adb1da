import { open, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DataferryError } from '../../errors.ts'
import { PartClaims } from './part-claims.ts'
import { Folders } from './folders.ts'
import { Heartbeat } from './heartbeat.ts'
import { DiskMarks } from './marks.ts'
import { newOwner, ownProcess, type ProcessIdentity } from '../../process/process-identity.ts'
import { RECORDS_FOLDER } from '../names.ts'

const PARTS_FOLDER = `${RECORDS_FOLDER}/parts`
export const MARKS_FOLDER = `${RECORDS_FOLDER}/marks`

export interface DiskSinkOptions {
  /** Interval of this process's heartbeat; default 5,000. */
  readonly heartbeatMs?: number
  /** How long a process that cannot be proven dead keeps its parts without a heartbeat; default 30,000. */
  readonly staleMs?: number
  /** The owner of the sink's parts, if not this process: for tests of crashes. */
  readonly identity?: ProcessIdentity
}

/** What a disk sink has once it has written something: folders that exist, and an owner that others can see. */
export interface Workspace {
  readonly folders: Folders
  readonly heartbeat: Heartbeat
  readonly claims: PartClaims
  readonly marks: DiskMarks
  /** Writes a durable byte beside the parts and removes it. */
  tryOut(): Promise<void>
}

/**
 * Makes `<root>/.dataferry/{parts,marks}` and removes what dead processes left unfinished in there.
 * @param root absolute
 * @param makes whether root and `.dataferry` may be made; where they must be there, what lacks them is another place
 */
export async function openWorkspace(root: string, options: DiskSinkOptions, makes: boolean): Promise<Workspace> {
  const times = { everyMs: options.heartbeatMs ?? 5000, staleMs: options.staleMs ?? 30_000 }
  if (times.staleMs < 2 * times.everyMs) {
    throw new DataferryError('CONFIG_INVALID', `staleMs (${times.staleMs}) must be at least twice heartbeatMs.`)
  }
  const folders = await (makes ? Folders.make(root) : Folders.open(root))
  await folders.make(PARTS_FOLDER)
  await folders.make(MARKS_FOLDER)
  const owner = newOwner(options.identity ?? (await ownProcess()))
  const parts = join(folders.path(''), PARTS_FOLDER)
  const heartbeat = new Heartbeat(parts, owner, times)
  const claims = new PartClaims(parts, owner, heartbeat)
  await heartbeat.start()
  await claims.tidy()
  const marks = new DiskMarks(folders, MARKS_FOLDER)
  return { folders, heartbeat, claims, marks, tryOut: () => tryOut(claims.temporary()) }
}

/** Removes the folders of a sink that is closed, unless something is kept there: a failure to do so does no harm. */
export async function removeEmptyWorkspace(root: string): Promise<void> {
  for (const folder of [PARTS_FOLDER, MARKS_FOLDER, RECORDS_FOLDER]) {
    await rmdir(join(root, folder)).catch(() => undefined)
  }
}

async function tryOut(path: string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.write('.')
    await handle.datasync()
  } finally {
    await handle.close()
    await unlink(path)
  }
}
