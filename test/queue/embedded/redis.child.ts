// A process for embedded-redis.test.ts: joins the embedded Redis, says so, and leaves when told, or is killed.
// Arguments: state folder, PATH, seconds between the keeper's looks.
import { messageOf } from '../../../src/errors.ts'
import { startEmbeddedRedis } from '../../../src/queue/embedded/redis.ts'

const [stateDir = '', path = '', seconds = '15'] = process.argv.slice(2)
process.once('disconnect', () => process.exit())
try {
  const redis = await startEmbeddedRedis({ stateDir, path, keeperSeconds: Number(seconds) })
  process.send?.({ url: redis.url })
  process.on('message', () => void redis.release().then(() => process.disconnect()))
} catch (error) {
  process.send?.({ error: messageOf(error) })
}
