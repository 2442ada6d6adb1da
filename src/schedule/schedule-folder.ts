import { appendFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DataferryError, messageOf, systemCode } from '../errors.ts'
import { isScheduleName, parseSchedule, type Schedule } from './definition.ts'
import { lastDueOf, parseHistory, type HistoryLine } from './history.ts'

/** A history that has grown to this is cut to its newest lines. */
const LONGEST_HISTORY = 2 << 20
const KEPT_LINES = 1_000

/**
 * The schedules of a state folder, each in a folder of its own below `schedules/`: `schedule.json`, `history.ndjson`, and the
 * newest due time that is known in `due`.
 */
export class ScheduleFolder {
  readonly #root: string

  constructor(stateDir: string) {
    this.#root = join(stateDir, 'schedules')
  }

  /** In the order of their names. Damaged ones are left out. @param onDamaged told of each */
  async list(onDamaged: (name: string, path: string) => void = () => undefined): Promise<readonly Schedule[]> {
    const names = await readdir(this.#root).catch(ifAbsent<string[]>([]))
    const found: Schedule[] = []
    for (const name of names.filter(isScheduleName).sort()) {
      const read = readFile(this.#at(name, DEFINITION), 'utf8').catch(ifAbsent(undefined))
      // One that may not be read must not stop the others.
      const text = await read.catch(() => '')
      if (text === undefined) continue
      const schedule = parseSchedule(text)
      if (schedule?.name === name) found.push(schedule)
      else onDamaged(name, this.#at(name, DEFINITION))
    }
    return found
  }

  /** Rejects with `RECORD_UNREADABLE` for a damaged one. */
  async read(name: string): Promise<Schedule | undefined> {
    const text = await readFile(this.#at(name, DEFINITION), 'utf8').catch(ifAbsent(undefined))
    if (text === undefined) return undefined
    const schedule = parseSchedule(text)
    if (schedule?.name === name) return schedule
    throw new DataferryError('RECORD_UNREADABLE', `The schedule ${this.#at(name, DEFINITION)} cannot be read.`, {
      advice: `Remove it with \`dataferry schedule remove ${name}\` and add it again.`,
    })
  }

  /** Writes a definition in one step, durably. */
  async write(schedule: Schedule): Promise<void> {
    await this.#write(schedule.name, DEFINITION, `${JSON.stringify(schedule, undefined, 2)}\n`)
  }

  /** @returns whether there was one */
  async remove(name: string): Promise<boolean> {
    const folder = this.#at(name)
    const isThere = await readdir(folder).then(() => true, ifAbsent(false))
    await rm(folder, { recursive: true, force: true })
    return isThere
  }

  async history(name: string): Promise<readonly HistoryLine[]> {
    return parseHistory(await readFile(this.#at(name, HISTORY), 'utf8').catch(ifAbsent('')))
  }

  async record(name: string, line: HistoryLine): Promise<void> {
    const path = this.#at(name, HISTORY)
    const before = await readFile(path, 'utf8').catch(ifAbsent(''))
    if (before.length > LONGEST_HISTORY) {
      const kept = before.trimEnd().split('\n').slice(-KEPT_LINES)
      await this.#write(name, HISTORY, `${kept.join('\n')}\n`)
    }
    // What a crash cut off must not become part of this line.
    const start = before === '' || before.endsWith('\n') ? '' : '\n'
    await appendFile(path, `${start}${JSON.stringify(line)}\n`, { mode: 0o600, flush: true })
  }

  /** Where the output of a schedule's last run is. */
  log(name: string): string {
    return this.#at(name, 'last.log')
  }

  /** The newest due time that any machine has acted on, as far as it was heard here. */
  async lastDue(name: string): Promise<Date | undefined> {
    const ms = Date.parse((await readFile(this.#at(name, DUE), 'utf8').catch(ifAbsent(''))).trim().slice(0, 40))
    return Number.isNaN(ms) ? undefined : new Date(ms)
  }

  /**
   * The newest due time that counts as acted on, as far as it is known without Redis.
   * @param history of this schedule
   */
  async actedOn({ name, since }: Schedule, history: readonly HistoryLine[]): Promise<Date> {
    const known = [await this.lastDue(name), lastDueOf(history)]
    return new Date(Math.max(Date.parse(since), ...known.map((due) => due?.getTime() ?? 0)))
  }

  async setLastDue(name: string, due: Date): Promise<void> {
    await this.#write(name, DUE, `${due.toISOString()}\n`)
  }

  async #write(name: string, file: string, text: string): Promise<void> {
    const folder = this.#at(name)
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const temporary = join(folder, `.${file}.${process.pid}`)
      await writeFile(temporary, text, { mode: 0o600, flush: true })
      await rename(temporary, join(folder, file))
      await syncFolder(folder)
      await syncFolder(this.#root)
    } catch (error) {
      const message = `The schedule ${name} could not be written to ${folder}: ${messageOf(error)}.`
      throw new DataferryError('STATE_UNAVAILABLE', message, { cause: error })
    }
  }

  #at(name: string, ...file: readonly string[]): string {
    return join(this.#root, name, ...file)
  }
}

const [DEFINITION, HISTORY, DUE] = ['schedule.json', 'history.ndjson', 'due']

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function ifAbsent<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return value
    throw error
  }
}
