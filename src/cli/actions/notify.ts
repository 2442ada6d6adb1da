import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { DataferryError, messageOf } from '../../errors.ts'
import type { NotifyEvent } from '../../notify/event.ts'
import type { Command } from '../command.ts'
import { notifyTargets } from '../notify/targets.ts'

/** What `dataferry notify` does. */
export const run: Command['run'] = async (context) => {
  const { args, config, out, signal } = context
  if (args[0] !== 'test') {
    throw new DataferryError('ARGUMENT_INVALID', `notify has no action ${args[0] ?? ''}: there is only test.`)
  }
  const targets = notifyTargets(context)
  if (targets.length === 0) {
    const where = config.file ?? 'dataferry.config.json'
    throw new DataferryError('CONFIG_INVALID', `Nobody is named under "notify" in ${where}.`, {
      advice: 'docs/schedules.md shows how to name a webhook or a mail address.',
    })
  }
  const event: NotifyEvent = {
    id: `test:${randomUUID()}`,
    kind: 'test',
    at: new Date().toISOString(),
    text: `A test from ${hostname()}: notifications arrive.`,
    facts: { host: hostname() },
  }
  let failed = 0
  for (const target of targets) {
    const why = await target.send(event, signal).then(
      () => undefined,
      (error: unknown) => messageOf(error),
    )
    signal.throwIfAborted()
    if (why !== undefined) failed++
    const { name } = target
    const record = { event: 'notified', id: event.id, target: name, delivered: why === undefined, reason: why ?? null }
    out.result(
      record,
      why === undefined ? `told    ${name}` : `failed  ${name}: ${why}`,
      why === undefined ? 'good' : 'bad',
    )
  }
  return failed === 0 ? 0 : 1
}
