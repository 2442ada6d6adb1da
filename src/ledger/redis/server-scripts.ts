import { NOW, script } from './script.ts'

/** Between two looks at most, whatever a server asks for. */
export const LONGEST_HOLD_MS = 3_600_000

/**
 * What is left of a hold, in ms. More than was set says that the clock was set back since: then the wait begins anew.
 */
export const LEFT_OF_HOLD = `
local function leftOfHold(server, now)
  local state = redis.call('HMGET', server, 'until', 'wait')
  local left, wait = (tonumber(state[1]) or 0) - now, tonumber(state[2]) or ${LONGEST_HOLD_MS}
  if left > wait then
    left = wait
    redis.pcall('HSET', server, 'until', string.format('%.0f', now + wait))
  end
  return math.max(0, left)
end
`

/** KEYS: server. @returns its fields and values, and what is left of a back-off as the field `waitMs`. */
export const READ_SERVER = script(`${NOW}${LEFT_OF_HOLD}
local left = leftOfHold(KEYS[1], now)
local fields = redis.call('HGETALL', KEYS[1])
fields[#fields + 1] = 'waitMs'
fields[#fields + 1] = string.format('%.0f', left)
return fields
`)

/** KEYS: servers, server. ARGV: name, channel, message, then fields and values; '' removes a field. */
export const WRITE_SERVER = script(`${NOW}
redis.call('SADD', KEYS[1], ARGV[1])
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[2], ARGV[i])
  else redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  if ARGV[i] == 'paused' then redis.call('HSET', KEYS[2], 'pausedAt', string.format('%.0f', now)) end
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
`)

/**
 * KEYS: servers, server. ARGV: name, channel, message, first, max, least (all in ms), jitter, by, reason.
 * @returns ms until the next look, looks in a row, whether this report set it, since when in ms.
 */
export const HOLD = script(`${NOW}${LEFT_OF_HOLD}
local first, max, least, jitter = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local left = leftOfHold(KEYS[2], now)
local untilMs = left > 0 and now + left or 0
local state = redis.call('HMGET', KEYS[2], 'throttles', 'since')
local looks, since = tonumber(state[1]) or 0, tonumber(state[2]) or now
local began = now >= untilMs
local wait = least
if began then
  looks = looks + 1
  -- A server that says how long it needs is taken at its word; only repeating itself makes the pauses longer.
  local base = least > 0 and least or first
  wait = math.max(least, math.ceil(math.min(max, base * 2 ^ math.min(looks - 1, 20)) * jitter))
end
if now + wait > untilMs then
  untilMs = now + wait
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('HSET', KEYS[2], 'until', string.format('%.0f', untilMs), 'wait', wait, 'throttles', looks, 'since',
    string.format('%.0f', since), 'by', ARGV[8], 'reason', ARGV[9])
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return { untilMs - now, looks, began and 1 or 0, since }
`)

/**
 * Ends a hold, unless the answer is older than its last report. KEYS: server, suspects. ARGV: channel, message.
 */
export const SUCCEEDED = script(`${NOW}${LEFT_OF_HOLD}
redis.call('DEL', KEYS[2])
if leftOfHold(KEYS[1], now) > 0 then return end
if redis.call('HDEL', KEYS[1], 'until', 'wait', 'throttles', 'since', 'by', 'reason') > 0 then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
`)

/** KEYS: suspects. ARGV: item, lifetime in ms. @returns how many items there are. */
export const SUSPECT = script(`
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('SCARD', KEYS[1])
`)
