import { script } from '../ledger/redis/script.ts'

/**
 * Renews the locks of jobs that a process runs. A lock that ran out meanwhile is taken again where nobody else has the job: Redis was
 * away or took no writes for longer than a lock lasts, and that says nothing against the job.
 * KEYS: active jobs of a queue, its set of stalled ones. ARGV: what the keys of its jobs begin with, how long a lock lasts in ms, then
 * id and token of each job. @returns the ids of those that are another's by now
 */
export const RENEW_LOCKS = script(`
local lost = {}
for i = 3, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local lock = ARGV[1] .. id .. ':lock'
  local holder = redis.call('GET', lock)
  if holder == token or (not holder and redis.call('LPOS', KEYS[1], id)) then
    redis.call('SET', lock, token, 'PX', ARGV[2])
    redis.call('SREM', KEYS[2], id)
  else
    lost[#lost + 1] = id
  end
end
return lost
`)

/**
 * Undoes what a clock of Redis that was set back does to a queue: what should have run out within seconds would last until the clock
 * is where it was. KEYS: active jobs of a queue, the mark of its last check for stalled ones. ARGV: what the keys of its jobs begin
 * with, how long a lock lasts and how long that mark, in ms.
 */
export const SHORTEN_LOCKS = script(`
local function shorten(key, longest)
  if redis.call('PTTL', key) > tonumber(longest) then redis.call('PEXPIRE', key, longest) end
end
shorten(KEYS[2], ARGV[3])
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do shorten(ARGV[1] .. id .. ':lock', ARGV[2]) end
`)
