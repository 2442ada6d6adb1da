import { script } from './script.ts'

/**
 * KEYS: workers. ARGV: what their keys begin with, how long a record is kept, in ms.
 * A record that would be kept for longer was written before the clock of Redis was set back: from here on its silence is measured anew.
 * @returns each record with the time that is left of it, in ms; those that have run out leave the set.
 */
export const LIST_WORKERS = script(`
local all = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = ARGV[1] .. id
  local text, left = redis.pcall('GET', key), redis.call('PTTL', key)
  if left > tonumber(ARGV[2]) then
    redis.pcall('PEXPIRE', key, ARGV[2])
    left = tonumber(ARGV[2])
  end
  if type(text) == 'string' and left >= 0 then all[#all + 1] = { text, left } else redis.pcall('SREM', KEYS[1], id) end
end
return all
`)
