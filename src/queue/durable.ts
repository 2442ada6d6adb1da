import type { RedisClient } from '../ledger/redis/client.ts'

/** The longest wait for the disk. */
const PATIENCE_MS = 5_000

/**
 * Waits until what this connection has written is in the append-only file on disk, so that it survives even a power cut.
 * @returns false if Redis cannot confirm it: before 7.2, without an append-only file, or with a disk that takes too long
 * @see https://redis.io/docs/latest/commands/waitaof/
 */
export async function untilDurable(client: RedisClient): Promise<boolean> {
  const nodes = 'nodes' in client ? client.nodes('master') : [client]
  const answers = await Promise.all(
    nodes.map((node) => node.call('WAITAOF', 1, 0, PATIENCE_MS).catch((error: unknown) => refusal(error))),
  )
  return answers.every((answer) => Array.isArray(answer) && Number(answer[0]) >= 1)
}

/** An old server does not know the command, one without the file refuses it, and a managed one may forbid it. */
function refusal(error: unknown): undefined {
  if (error instanceof Error && error.name === 'ReplyError') return undefined
  throw error
}
