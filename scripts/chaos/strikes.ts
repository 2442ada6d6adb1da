import type { Dice } from '../dice.ts'
import type { OutageGroup } from './outages.ts'
import { childrenOf, strike, type Player } from './player.ts'
import type { RedisPlayer } from './redis-player.ts'

/** What was done to whom. */
export interface StrikeCounts {
  /** All SIGKILLs, Redis included. */
  readonly kills: number
  readonly byTarget: Readonly<Record<string, number>>
  readonly frozen: number
  readonly asked: number
  readonly redisKills: number
  readonly redisCuts: number
  /** Outages by name; empty unless they were switched on. */
  readonly outages: Readonly<Record<string, number>>
}

export interface StrikesOptions {
  readonly dice: Dice
  readonly redis: RedisPlayer
  readonly supervisors: readonly Player[]
  readonly outages: readonly OutageGroup[]
  readonly say: (text: string) => void
}

/** The share of strikes that begins an outage, for each group of them. */
const OUTAGES = 0.2

interface Target {
  readonly kind: 'worker' | 'supervisor' | 'producer' | 'redis'
  readonly pid: number
}

/** Strikes one process after the other, drawn by the dice. Those that die are started again by who looks after them. */
export class Strikes {
  /** Who enqueues now. */
  producer: Player | undefined
  readonly #options: StrikesOptions
  readonly #byTarget: Record<string, number> = {}
  readonly #waking = new Map<number, NodeJS.Timeout>()
  readonly #outages: Record<string, number> = {}
  /** Ends the outage of a group at once, unless it has ended. */
  readonly #ending = new Map<OutageGroup, () => Promise<void>>()
  readonly #problems: string[] = []
  #restarting: Promise<void> = Promise.resolve()
  #isRedisUp = true
  #kills = 0
  #frozen = 0
  #asked = 0

  constructor(options: StrikesOptions) {
    this.#options = options
  }

  get counts(): StrikeCounts {
    const { kills: redisKills, cuts: redisCuts } = this.#options.redis
    return {
      kills: this.#kills,
      byTarget: this.#byTarget,
      frozen: this.#frozen,
      asked: this.#asked,
      redisKills,
      redisCuts,
      outages: this.#outages,
    }
  }

  /** What went wrong during outages, in sentences. */
  get problems(): readonly string[] {
    return this.#problems
  }

  /** One strike, or none when the one that was drawn is not there. */
  async one(): Promise<void> {
    const group = this.#options.outages.find(() => this.#options.dice.number() < OUTAGES)
    if (group) return this.#begin(group)
    const target = await this.#draw()
    if (!target) return
    if (target.kind === 'redis') this.#killRedis()
    else this.#strike(target)
  }

  /** Wakes everybody, ends outages and waits for Redis: from here on it is calm. */
  async end(): Promise<void> {
    for (const [pid, timer] of this.#waking) {
      clearTimeout(timer)
      strike(pid, 'SIGCONT')
    }
    this.#waking.clear()
    for (const end of this.#ending.values()) await end()
    await this.#restarting
  }

  async #draw(): Promise<Target | undefined> {
    const { dice, supervisors } = this.#options
    const lot = dice.number()
    if (lot < 0.12) return this.#isRedisUp ? { kind: 'redis', pid: 0 } : undefined
    const supervisor = dice.pick(supervisors).pid
    if (lot < 0.24) return this.producer?.pid === undefined ? undefined : { kind: 'producer', pid: this.producer.pid }
    if (supervisor === undefined) return undefined
    if (lot < 0.36) return { kind: 'supervisor', pid: supervisor }
    const workers = await childrenOf(supervisor)
    return workers.length === 0 ? undefined : { kind: 'worker', pid: dice.pick(workers) }
  }

  #strike({ kind, pid }: Target): void {
    const { dice, say } = this.#options
    const how = dice.number()
    if (how < 0.6) {
      this.#kills += 1
      this.#byTarget[kind] = (this.#byTarget[kind] ?? 0) + 1
      say(`kill ${this.#kills}: ${kind} ${pid}`)
      strike(pid, 'SIGKILL')
    } else if (how < 0.8 && !this.#waking.has(pid)) {
      this.#frozen += 1
      strike(pid, 'SIGSTOP')
      const timer = setTimeout(
        () => {
          this.#waking.delete(pid)
          strike(pid, 'SIGCONT')
        },
        dice.between(1, 8) * 1_000,
      )
      this.#waking.set(pid, timer)
    } else {
      this.#asked += 1
      strike(pid, 'SIGTERM')
    }
  }

  async #begin(group: OutageGroup): Promise<void> {
    const { dice, say } = this.#options
    const outage = dice.pick(group.outages)
    const seconds = dice.between(2, 10)
    if (this.#ending.has(group) || !(await group.isThere())) return
    this.#outages[outage.name] = (this.#outages[outage.name] ?? 0) + 1
    say(`for ${seconds} s ${outage.name}`)
    await outage.begin()
    let ended: Promise<void> | undefined
    const end = (): Promise<void> => {
      clearTimeout(timer)
      ended ??= outage.end().then(
        (problems) => {
          this.#problems.push(...problems)
          this.#ending.delete(group)
        },
        (error: unknown) => void this.#problems.push(`${outage.name}, and for ever: ${String(error)}`),
      )
      return ended
    }
    const timer = setTimeout(() => void end(), seconds * 1_000)
    this.#ending.set(group, end)
  }

  #killRedis(): void {
    const { dice, redis, say } = this.#options
    this.#kills += 1
    this.#byTarget['redis'] = (this.#byTarget['redis'] ?? 0) + 1
    const isHidden = [...this.#ending.keys()].some(({ hidesRecords }) => hidesRecords)
    const cut = dice.number() < 0.3 && !isHidden ? dice.between(1, 20_000) : 0
    say(`kill ${this.#kills}: redis${cut > 0 ? `, cut back by ${cut} bytes` : ''}`)
    this.#isRedisUp = false
    this.#restarting = redis.killAndRestart(dice.between(0, 4_000), cut).finally(() => (this.#isRedisUp = true))
    // What waits for it hears of it.
    this.#restarting.catch(() => undefined)
  }
}
