import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import { processIdentitySchema } from '../process/process-identity.ts'
import { OWNER_SILENT_MS } from './ledger.ts'
import type { RedisClient } from './redis/client.ts'
import { DEFAULT_PREFIX } from './redis/keys.ts'
import { BEGIN_RUN, END_RUN, READ_SCHEDULE, RENEW_RUN } from './redis/schedule-scripts.ts'
import { run } from './redis/script.ts'

const sharedBatchSchema = z.object({ id: z.string().max(200), destination: z.string().max(4_000) })
/** A batch that its command has left to the workers, and the URL of its destination. */
export type SharedBatch = Readonly<z.infer<typeof sharedBatchSchema>>

/** Who looks after a run, the process of its command once it has one, and its batch once workers have it. */
const ownerSchema = processIdentitySchema.extend({
  id: z.string(),
  command: processIdentitySchema.optional(),
  shared: sharedBatchSchema.optional(),
})
export type RunOwner = Readonly<z.infer<typeof ownerSchema>>

/** What Redis knows of a schedule. */
export interface ScheduleState {
  /** The newest due time that a process has acted on, in ms since 1970; 0: none is known. */
  readonly due: number
  /** The run that goes, or is to go on. */
  readonly run: string | undefined
  /** Undefined: nobody looks after the run now. */
  readonly owner: RunOwner | undefined
  /** The owner has not been heard for so long that it counts as dead. */
  readonly isSilent: boolean
}

/**
 * - `begun`: a run of this due time is the caller's
 * - `taken`: a run that was parked, or whose owner died, is the caller's
 * - `overlaps`: an earlier run still goes; this due time is over, and the caller is the one to say so
 * - `known`: somebody else has acted on this due time, or there is nothing to do
 */
export type Begun =
  | { readonly what: 'begun' | 'taken'; readonly run: string }
  | { readonly what: 'overlaps' | 'known'; readonly run?: never }

export interface BeginRequest {
  readonly owner: RunOwner
  /** A due time, in ms since 1970; undefined: only go on with a run that is open. */
  readonly due: number | undefined
  /** Name of the run that begins. */
  readonly run: string
  /** Without a due time: begin now, as a person asks for it. */
  readonly byHand?: boolean
  /** The newest due time that is known here, and a run that is open here: for a Redis that was lost. */
  readonly known?: { readonly due: number; readonly open: string | undefined }
  /** An owner that is proven dead. */
  readonly instead?: string | undefined
}

/**
 * What all schedulers of one Redis agree on: of each schedule the last due time that was acted on, and the one run that goes. A due
 * time is acted on by exactly one of them, since each step is one script; times are those of Redis' clock.
 */
export class Schedules {
  readonly #client: RedisClient
  readonly #prefix: string
  readonly #silentMs: number

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX, silentMs = OWNER_SILENT_MS) {
    this.#client = client
    this.#prefix = prefix
    this.#silentMs = silentMs
  }

  async read(name: string): Promise<ScheduleState> {
    const reply = await run(this.#client, READ_SCHEDULE, [this.#key(name)], [this.#silentMs])
    const [due, runName, owner, silent] = Array.isArray(reply) ? reply.map(String) : []
    return {
      due: Number(due ?? 0) || 0,
      run: runName === '' ? undefined : runName,
      owner: ownerSchema.safeParse(parseJson(owner ?? '')).data,
      isSilent: silent === '1',
    }
  }

  /** Acts on a due time, or takes over what is open. */
  async begin(name: string, request: BeginRequest): Promise<Begun> {
    const { owner, due = 0, byHand = false, known, instead = '' } = request
    const facts = [owner.id, JSON.stringify(owner), instead, this.#silentMs]
    const wanted = [due, request.run, byHand ? 1 : 0, known?.due ?? 0, known?.open ?? '']
    const reply = await run(this.#client, BEGIN_RUN, [this.#key(name)], [...facts, ...wanted])
    const [what, which = ''] = Array.isArray(reply) ? reply.map(String) : []
    if (what === 'begun' || what === 'taken') return { what, run: which }
    return { what: what === 'overlaps' ? 'overlaps' : 'known' }
  }

  /** Says that the owner still lives, and what its run is, should Redis have been lost. @returns false: somebody else has taken it */
  async renew(name: string, runName: string, owner: RunOwner, due: number): Promise<boolean> {
    const args = [owner.id, JSON.stringify(owner), runName, due]
    return (await run(this.#client, RENEW_RUN, [this.#key(name)], args)) === 1
  }

  /** @param goesOn the run is parked: whoever finds it goes on with it */
  async end(name: string, owner: RunOwner, goesOn: boolean): Promise<void> {
    await run(this.#client, END_RUN, [this.#key(name)], [owner.id, goesOn ? 1 : 0])
  }

  /** Of a schedule that is removed. */
  async forget(name: string): Promise<void> {
    await this.#client.del(this.#key(name))
  }

  #key(name: string): string {
    return `${this.#prefix}:schedule:${name}`
  }
}
