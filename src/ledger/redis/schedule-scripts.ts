import { NOW, script } from './script.ts'

/*
 * A schedule is one hash: `due`, the last due time that was acted on; `run`, the run that goes or is to go on; `ownerId`, `owner`
 * and `seen`, who looks after it and when that was last heard. Without an owner the run waits for somebody to go on with it.
 */

/** KEYS: schedule. ARGV: longest silence in ms. @returns due, run, owner, whether the owner is silent */
export const READ_SCHEDULE = script(`${NOW}
local has = redis.call('HMGET', KEYS[1], 'due', 'run', 'owner', 'seen')
local silent = has[3] and now - (tonumber(has[4]) or 0) > tonumber(ARGV[1])
return { has[1] or '0', has[2] or '', has[3] or '', silent and '1' or '0' }
`)

/**
 * KEYS: schedule. ARGV: id of the owner, owner as JSON, id of an owner that may be replaced or '', longest silence in ms, due time
 * or 0, name of the run, 1 to begin without a due time, newest due time and open run known elsewhere (0 and '').
 */
export const BEGIN_RUN = script(`${NOW}
local has = redis.call('HMGET', KEYS[1], 'due', 'run', 'ownerId', 'seen')
local due = tonumber(ARGV[5])
local last = math.max(tonumber(has[1]) or 0, tonumber(ARGV[8]))
local run = has[2] or false
-- An empty hash: Redis was lost, or never knew it.
if not has[1] and not has[2] and ARGV[9] ~= '' then run = ARGV[9] end

local function take(name)
  redis.call('HSET', KEYS[1], 'run', name, 'ownerId', ARGV[1], 'owner', ARGV[2], 'seen', now, 'due', string.format('%.0f', math.max(last, due)))
end

if run and has[3] then
  local silent = now - (tonumber(has[4]) or 0) > tonumber(ARGV[4])
  if has[3] == ARGV[3] or (silent and has[3] ~= ARGV[1]) then
    due = 0
    take(run)
    return { 'taken', run }
  end
  if due <= last then return { 'known' } end
  redis.call('HSET', KEYS[1], 'due', string.format('%.0f', due))
  return { 'overlaps' }
end
if run then
  due = 0
  take(run)
  return { 'taken', run }
end
if due > last or ARGV[7] == '1' then
  take(ARGV[6])
  return { 'begun', ARGV[6] }
end
redis.call('HSET', KEYS[1], 'due', string.format('%.0f', last))
return { 'known' }
`)

/** KEYS: schedule. ARGV: id of the owner, owner as JSON, run, newest due time known. @returns whether it is the owner's */
export const RENEW_RUN = script(`${NOW}
local has = redis.call('HMGET', KEYS[1], 'due', 'run', 'ownerId')
if has[2] and (has[3] ~= ARGV[1] or has[2] ~= ARGV[3]) then return 0 end
local due = string.format('%.0f', math.max(tonumber(has[1]) or 0, tonumber(ARGV[4])))
redis.call('HSET', KEYS[1], 'run', ARGV[3], 'ownerId', ARGV[1], 'owner', ARGV[2], 'seen', now, 'due', due)
return 1
`)

/** KEYS: schedule. ARGV: id of the owner, 1 where the run is to go on. */
export const END_RUN = script(`
if redis.call('HGET', KEYS[1], 'ownerId') ~= ARGV[1] then return end
redis.call('HDEL', KEYS[1], 'ownerId', 'owner', 'seen')
if ARGV[2] ~= '1' then redis.call('HDEL', KEYS[1], 'run') end
`)
