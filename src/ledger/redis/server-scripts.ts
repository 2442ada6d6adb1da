import { script } from './script.ts'

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

/** KEYS: server. @returns its fields and values, and what is left of a back-off as the field \`waitMs\`. */
export const READ_SERVER = script(`${NOW}
local fields = redis.call('HGETALL', KEYS[1])
local left = (redis.call('HGET', KEYS[1], 'until') or 0) - now
fields[#fields + 1] = 'waitMs'
fields[#fields + 1] = string.format('%.0f', math.max(0, left))
return fields
`)

/** KEYS: servers, server. ARGV: name, channel, message, then fields and values; '' removes a field. */
export const WRITE_SERVER = script(`
redis.call('SADD', KEYS[1], ARGV[1])
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[2], ARGV[i])
  else redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
`)

/**
 * KEYS: servers, server. ARGV: name, channel, message, first, max, least (all in ms), jitter.
 * @returns wait in ms, throttles in a row, whether this began a period.
 */
export const THROTTLED = script(`${NOW}
local first, max, least, jitter = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local untilMs = tonumber(redis.call('HGET', KEYS[2], 'until') or 0)
local throttles = tonumber(redis.call('HGET', KEYS[2], 'throttles') or 0)
local began = now >= untilMs
local wait = least
if began then
  throttles = throttles + 1
  -- Retry-After is obeyed as it is; only repetition makes the pauses longer.
  local base = least > 0 and least or first
  wait = math.max(least, math.ceil(math.min(max, base * 2 ^ (throttles - 1)) * jitter))
end
if now + wait > untilMs then
  untilMs = now + wait
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('HSET', KEYS[2], 'until', string.format('%.0f', untilMs), 'throttles', throttles)
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return { untilMs - now, throttles, began and 1 or 0 }
`)

/** KEYS: server. */
export const SUCCEEDED = script(`${NOW}
if now >= tonumber(redis.call('HGET', KEYS[1], 'until') or 0) then redis.call('HDEL', KEYS[1], 'until', 'throttles') end
`)
