import type { Change, Changes } from '../change.ts'
import { parseChange } from '../change.ts'
import { duplicate, type RedisClient } from './client.ts'
import { DEFAULT_PREFIX, eventsChannel } from './keys.ts'

/**
 * Receives the changes that any process makes, usually within milliseconds, on a connection of its own.
 * After a lost connection listeners get `missed`, since Redis keeps no messages for disconnected subscribers.
 * The caller closes it; `client` stays open.
 */
export async function redisChanges(client: RedisClient, prefix = DEFAULT_PREFIX): Promise<Changes> {
  const listeners = new Set<(change: Change) => void>()
  const subscriber = duplicate(client)
  // The connection repeats its failures while it reconnects; `client` has reported them already.
  subscriber.on('error', () => undefined)
  const tell = (change: Change): void => listeners.forEach((listener) => listener(change))
  subscriber.on('message', (_channel: string, message: string) => {
    const change = parseChange(message)
    if (change) tell(change)
  })
  try {
    await subscriber.subscribe(eventsChannel(prefix))
  } catch (error) {
    subscriber.disconnect()
    throw error
  }
  subscriber.on('ready', () => tell({ kind: 'missed' }))
  return {
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      listeners.clear()
      subscriber.disconnect()
      return Promise.resolve()
    },
  }
}
