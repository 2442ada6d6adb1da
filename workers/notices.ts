import type { Logger } from '../src/log.ts'
import { noticeKey, type Notice } from '../src/model/notice.ts'

/** What holds work up now, one notice per cause, shown until taken back. The log hears of each once, and of its end. */
export class Notices {
  readonly #log: Logger
  readonly #notices = new Map<string, Notice>()

  constructor(log: Logger) {
    this.#log = log
  }

  set(cause: string, notice: Notice | undefined): void {
    const before = this.#notices.get(cause)
    if (notice !== undefined) {
      this.#notices.set(cause, notice)
      if (before === undefined || noticeKey(before) !== noticeKey(notice)) this.#log.warn(fieldsOf(notice), 'waiting')
    } else if (this.#notices.delete(cause) && before !== undefined) {
      this.#log.info(fieldsOf(before), 'waits no more')
    }
  }

  has(cause: string): boolean {
    return this.#notices.has(cause)
  }

  list(): readonly Notice[] {
    return [...this.#notices.values()]
  }

  /** Those that may hold up everything: what some files wait for holds up no others. */
  reasons(): readonly Notice[] {
    return [...this.#notices].flatMap(([cause, notice]) =>
      /^(access|embargo|looks|expiry) /.test(cause) ? [] : [notice],
    )
  }
}

function fieldsOf(notice: Notice): Readonly<Record<string, unknown>> {
  return typeof notice === 'string' ? { notice } : { ...notice }
}
