import { noticeKey, noticeText, type Notice, type Wait } from '../model/notice.ts'
import { Notices } from '../../workers/notices.ts'
import type { Context } from './command.ts'
import type { Output } from './terminal/output.ts'

/** Says once what is holding up work, and again only after that has ended. */
export function tellOnce(
  out: Output,
  say: (text: string) => void = (text) => out.say(text),
): (notices: readonly Notice[]) => void {
  let told: ReadonlySet<string> = new Set()
  return (now) => {
    for (const notice of now) {
      if (told.has(noticeKey(notice))) continue
      say(noticeText(notice))
      out.record({ event: 'notice', text: noticeText(notice), ...(typeof notice !== 'string' && notice) })
    }
    told = new Set(now.map(noticeKey))
  }
}

/** The same for work that waits for one thing at a time; the log hears of it, too. */
export function tellWait({ out, log }: Pick<Context, 'out' | 'log'>): (wait: Wait | undefined) => void {
  const [tell, notices] = [tellOnce(out), new Notices(log)]
  return (wait) => {
    notices.set('wait', wait)
    tell(notices.list())
  }
}
