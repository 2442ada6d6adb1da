import { noticeKey, noticeText, type Notice, type Wait } from '../model/notice.ts'
import { Notices } from '../../workers/notices.ts'
import type { Context } from './command.ts'
import type { Output } from './terminal/output.ts'

/** Says once what is holding up work, and once that it does so no more. */
export function tellOnce(
  out: Output,
  say: (text: string) => void = (text) => out.say(text),
): (notices: readonly Notice[]) => void {
  let told: ReadonlyMap<string, Notice> = new Map()
  return (now) => {
    const held = new Set(now.map(subjectOf))
    for (const before of told.values()) {
      if (typeof before === 'string' || held.has(before.what)) continue
      const text = `${before.what} is not on hold any more: work goes on.`
      say(text)
      out.record({ event: 'notice', text, what: before.what, ended: true })
    }
    for (const notice of now) {
      if (told.has(noticeKey(notice))) continue
      say(noticeText(notice))
      out.record({ event: 'notice', text: noticeText(notice), ...(typeof notice !== 'string' && notice) })
    }
    told = new Map(now.map((notice) => [noticeKey(notice), notice]))
  }
}

function subjectOf(notice: Notice): string {
  return typeof notice === 'string' ? notice : notice.what
}

/** The same for work that waits for one thing at a time; the log hears of it, too. */
export function tellWait({ out, log }: Pick<Context, 'out' | 'log'>): (wait: Wait | undefined) => void {
  const [tell, notices] = [tellOnce(out), new Notices(log)]
  return (wait) => {
    notices.set('wait', wait)
    tell(notices.list())
  }
}
