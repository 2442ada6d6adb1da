import { NOW, script } from './script.ts'

/** A batch is known from its first `open` on. KEYS: batches, batch. ARGV: id, then fields and values. */
export const OPEN = script(`
redis.call('SADD', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return 1
`)

/** Writes fields of a known batch and publishes it. KEYS: batch. ARGV: channel, message, then fields and values. @returns −1: unknown batch. */
export const UPDATE = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
`)

/** Moves a batch from one of some states to another, and publishes it. KEYS: batch. ARGV: channel, message, state, then the states. @returns −1: unknown batch; 0: it is in another state. */
export const MOVE_STATE = script(`
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return -1 end
for i = 4, #ARGV do
  if ARGV[i] == state then
    redis.call('HSET', KEYS[1], 'state', ARGV[3], 'reason', '')
    redis.call('PUBLISH', ARGV[1], ARGV[2])
    return 1
  end
end
return 0
`)

/**
 * KEYS: batch. ARGV: id of the owner, owner as JSON, id of an owner that may be replaced or '', longest silence of an owner in ms.
 * @returns the owner in the way as JSON; '': it is the new one; −1: unknown batch.
 */
export const ATTACH = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
${NOW}
local has = redis.call('HMGET', KEYS[1], 'ownerId', 'ownerAt', 'owner')
local heard = tonumber(has[2]) or 0
if heard > now then
  -- The clock was set back: from here on the silence is measured anew.
  heard = now
  redis.call('HSET', KEYS[1], 'ownerAt', string.format('%.0f', now))
end
local readable, owner = pcall(cjson.decode, has[3] or '')
local isOwned = readable and type(owner) == 'table' and type(owner.pid) == 'number'
if isOwned and has[1] ~= ARGV[1] and has[1] ~= ARGV[3] and now - heard <= tonumber(ARGV[4]) then return has[3] end
redis.call('HSET', KEYS[1], 'attached', 1, 'ownerId', ARGV[1], 'owner', ARGV[2], 'ownerAt', string.format('%.0f', now))
return ''
`)

/** KEYS: batch. ARGV: id of the owner. */
export const DISOWN = script(`
if redis.call('HGET', KEYS[1], 'ownerId') == ARGV[1] then redis.call('HDEL', KEYS[1], 'ownerId', 'ownerAt', 'owner') end
`)

/** KEYS: batch. ARGV: servers that need a token as JSON. @returns −1: unknown batch. */
export const DETACH = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
redis.call('HSET', KEYS[1], 'attached', 0, 'tokenServers', ARGV[1])
redis.call('HDEL', KEYS[1], 'ownerId', 'ownerAt', 'owner')
return 1
`)

/**
 * KEYS: batch, settled. ARGV: whether it comes from the batch's own queue, its server as JSON, whether from the queue of those that have
 * its token, then lines.
 * @returns for each line 1: the batch is open, its lines wait in that queue, and this one is planned and has not ended.
 */
export const ARE_OPEN = script(`
local batch = redis.call('HMGET', KEYS[1], 'state', 'attached', 'tokenServers', 'planned')
local open = batch[1] == 'open' and (batch[2] or '0') == ARGV[1]
local needsToken = string.find(batch[3] or '', ARGV[2], 1, true) and '1' or '0'
if ARGV[1] == '0' and needsToken ~= ARGV[3] then open = false end
local planned = tonumber(batch[4]) or 0
local lines = {}
-- A line that cannot be is not open, and keeps the others from no answer.
for i = 4, #ARGV do
  local isOpen = open and tonumber(ARGV[i]) < planned and redis.pcall('GETBIT', KEYS[2], ARGV[i]) == 0
  lines[i - 3] = isOpen and 1 or 0
end
return lines
`)

/**
 * What is planned so far, published when feeding waits for it. KEYS: batch. ARGV: channel, message, planned, plannedBytes,
 * planComplete. @returns −1: unknown batch.
 */
export const PLANNED = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local before = tonumber(redis.call('HGET', KEYS[1], 'planned') or 0)
redis.call('HSET', KEYS[1], 'planned', ARGV[3], 'plannedBytes', ARGV[4], 'planComplete', ARGV[5])
if before == 0 or ARGV[5] == '1' then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return 1
`)

/** Publishes when every line of a complete plan has ended. */
const TELL_END = `
local function tellEnd(batch, counters, channel, message)
  local plan = redis.call('HMGET', batch, 'planComplete', 'planned')
  if plan[1] ~= '1' then return end
  local ended = 0
  for _, count in ipairs(redis.call('HMGET', counters, 'done', 'kept', 'failed', 'waiting')) do ended = ended + (tonumber(count) or 0) end
  if ended >= tonumber(plan[2]) then redis.call('PUBLISH', channel, message) end
end
`

/**
 * Counts an outcome exactly once: nothing changes unless the bit was clear.
 * KEYS: batch, settled, failed, counters, errors, crashes, waiting. ARGV: line, state, bytes, error as JSON or '', cap of
 * errors, channel, message.
 * @returns −1: unknown batch; 0: had ended or waits; 1: counted.
 */
export const SETTLE = script(`${TELL_END}
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local n, state = ARGV[1], ARGV[2]
if redis.call('SETBIT', KEYS[2], n, 1) == 1 then return 0 end
redis.call('HINCRBY', KEYS[4], state, 1)
if state == 'failed' then
  redis.call('SETBIT', KEYS[3], n, 1)
  if ARGV[4] ~= '' and redis.call('HLEN', KEYS[5]) < tonumber(ARGV[5]) then redis.call('HSET', KEYS[5], n, ARGV[4]) end
elseif state == 'waiting' then
  redis.call('SETBIT', KEYS[7], n, 1)
else
  redis.call('HINCRBY', KEYS[4], state .. 'Bytes', ARGV[3])
  redis.call('HDEL', KEYS[6], n)
end
tellEnd(KEYS[1], KEYS[4], ARGV[6], ARGV[7])
return 1
`)

/**
 * Counts the outcomes of several items that did not fail. KEYS: batch, settled, counters, crashes. ARGV: channel,
 * message, then line, state, bytes for each of them.
 * @returns −1: unknown batch, else how many were counted.
 */
export const SETTLE_ALL = script(`${TELL_END}
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local crashed = redis.call('EXISTS', KEYS[4]) == 1
local count, bytes, counted = {}, {}, 0
for i = 3, #ARGV, 3 do
  local n, state = ARGV[i], ARGV[i + 1]
  if redis.call('SETBIT', KEYS[2], n, 1) == 0 then
    count[state] = (count[state] or 0) + 1
    bytes[state] = (bytes[state] or 0) + tonumber(ARGV[i + 2])
    counted = counted + 1
    if crashed then redis.call('HDEL', KEYS[4], n) end
  end
end
for state, items in pairs(count) do
  redis.call('HINCRBY', KEYS[3], state, items)
  redis.call('HINCRBY', KEYS[3], state .. 'Bytes', string.format('%.0f', bytes[state]))
end
if counted > 0 then tellEnd(KEYS[1], KEYS[3], ARGV[1], ARGV[2]) end
return counted
`)

/**
 * Reopens those lines that are in one state. KEYS: batch, settled, the bits of the state, counters, errors, crashes. ARGV: state, lines.
 * @returns −1: unknown batch, else how many there were.
 */
export const REOPEN = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local reopened = 0
for i = 2, #ARGV do
  local n = ARGV[i]
  if redis.call('GETBIT', KEYS[3], n) == 1 then
    redis.call('SETBIT', KEYS[3], n, 0)
    redis.call('SETBIT', KEYS[2], n, 0)
    redis.call('HDEL', KEYS[5], n)
    redis.call('HDEL', KEYS[6], n)
    reopened = reopened + 1
  end
end
if reopened > 0 then redis.call('HINCRBY', KEYS[4], ARGV[1], -reopened) end
return reopened
`)

/** KEYS: batch, looks. ARGV: server, time. @returns −1: unknown batch. */
export const SET_LOOK = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
return redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
`)

/** KEYS: batch, crashes. ARGV: line. @returns −1: unknown batch, else crashes so far. */
export const CRASHED = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
return redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
`)

/**
 * Remembers what is kept of a line; where there is no room for one more, that of lines that have ended since goes first.
 * KEYS: batch, settled, parts. ARGV: line, bytes, room.
 */
export const KEEP_PART = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return end
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[3]) then
  for _, n in ipairs(redis.call('HKEYS', KEYS[3])) do
    if redis.call('GETBIT', KEYS[2], n) == 1 then redis.call('HDEL', KEYS[3], n) end
  end
  if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[3]) then return end
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
`)

/**
 * What is kept of lines that have not ended, and then what is held of such lines; a number that can be none of a line is left out.
 * KEYS: settled, parts. ARGV: line, bytes, … of what is held. @returns line, bytes, line, bytes, …
 */
export const PARTS = script(`
local open = {}
for _, all in ipairs({redis.call('HGETALL', KEYS[2]), ARGV}) do
  for i = 1, #all, 2 do
    if redis.pcall('GETBIT', KEYS[1], all[i]) == 0 then
      open[#open + 1] = all[i]
      open[#open + 1] = all[i + 1]
    end
  end
end
return open
`)

/** KEYS: batches, then all keys of the batch. ARGV: id, channel, message. */
export const FORGET = script(`
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('UNLINK', unpack(KEYS, 2))
redis.call('PUBLISH', ARGV[2], ARGV[3])
`)
