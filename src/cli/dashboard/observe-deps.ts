import type { ObserveDeps } from '../../dashboard/observe.ts'
import { noticeText } from '../../model/notice.ts'
import { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'
import type { Runtime } from '../runtime.ts'
import { scheduledDestinations } from '../schedule/scheduled-destinations.ts'

/** What the dashboard and the metrics server look through. */
export function observeDeps({ config }: Pick<Context, 'config'>, runtime: Runtime): ObserveDeps {
  return {
    ...runtime,
    openSink: (url) => openDestination(config, url),
    trouble: () => runtime.notices.list().map(noticeText)[0],
    scheduled: () => scheduledDestinations(new ScheduleFolder(config.settings.stateDir)),
  }
}
