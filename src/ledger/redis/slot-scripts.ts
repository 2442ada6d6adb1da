import { NOW, script } from './script.ts'
import { LEFT_OF_HOLD } from './server-scripts.ts'

/**
 * One process reports how many streams of a server it could use and has open, and gets how many it may have.
 *
 * Every live process has a record `granted wanted seen since`: times in ms by Redis's clock, `since` when it last got more or
 * began to wait. Fair shares are max-min: nobody gets more than it can use, and what one leaves is divided among the others. What
 * cannot be divided goes to those who have waited longest, for a while at a time, so that it wanders and does not flutter.
 * A time that is yet to come was written before the clock of Redis was set back: it counts as now.
 *
 * KEYS: state of the server, slots of the server, its suspects.
 * ARGV: process, wanted, in use, usual limit, lease in ms, turn in ms, channel, message, how many of the wanted it needs.
 * @returns granted, fair share, budget, looks and suspects so far.
 */
export const CLAIM = script(`${NOW}${LEFT_OF_HOLD}
local me, wanted, inUse = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local lease, turn = tonumber(ARGV[5]), tonumber(ARGV[6])

local state = redis.call('HMGET', KEYS[1], 'concurrency', 'paused', 'by', 'throttles')
local budget = tonumber(state[1]) or tonumber(ARGV[4])
if state[2] or leftOfHold(KEYS[1], now) > 0 then budget = 0 elseif state[3] == 'outage' then budget = 1 end

local all, mine = {}, nil
local records = redis.call('HGETALL', KEYS[2])
for i = 1, #records, 2 do
  local granted, want, seen, since = string.match(records[i + 1], '^(%d+) (%d+) (%d+) (%d+)$')
  local one = { id = records[i], granted = tonumber(granted) or 0, wanted = tonumber(want) or 0 }
  one.since = math.min(now, tonumber(since) or now)
  if one.id == me then mine = one
  elseif not seen or now - tonumber(seen) > lease then redis.call('HDEL', KEYS[2], one.id)
  else
    all[#all + 1] = one
    if tonumber(seen) > now then
      redis.call('HSET', KEYS[2], one.id, string.format('%d %d %.0f %.0f', one.granted, one.wanted, now, one.since))
    end
  end
end
-- What is beyond the need is wanted only while others leave it.
local needed, left = tonumber(ARGV[9]), budget
for _, one in ipairs(all) do left = left - one.wanted end
wanted = math.min(wanted, needed + math.max(0, left - needed))

local before = mine or { granted = 0, wanted = 0, since = now }
mine = { id = me, granted = before.granted, wanted = wanted, since = before.since }
if before.granted >= before.wanted and wanted > before.granted then mine.since = now end
all[#all + 1] = mine

-- The level up to which everybody can be served, and what is left above it.
local level = 0
left = budget
while left > 0 do
  local higher = 0
  for _, one in ipairs(all) do if one.wanted > level then higher = higher + 1 end end
  if higher == 0 or higher > left then break end
  level, left = level + 1, left - higher
end
for _, one in ipairs(all) do one.turn = one.granted > level and now - one.since < turn end
table.sort(all, function(a, b)
  if a.turn ~= b.turn then return a.turn end
  if a.since ~= b.since then return a.since < b.since end
  return a.id < b.id
end)
local others = 0
for _, one in ipairs(all) do
  one.share = math.min(one.wanted, level)
  if one.wanted > level and left > 0 then one.share, left = level + 1, left - 1 end
  if one ~= mine then others = others + one.granted end
end

local granted = math.max(inUse, math.min(wanted, mine.share, budget - others))
if granted > before.granted then mine.since = now end
local kept = string.format('%d %d %.0f %.0f', granted, wanted, now, mine.since)
redis.call('HSET', KEYS[2], me, kept)
redis.call('PEXPIRE', KEYS[2], 2 * lease)

-- Others act at once on what concerns them: a slot has become free, or somebody who may have more waits for it.
local waiting = false
for _, one in ipairs(all) do
  if one ~= mine and one.granted < one.share then waiting = true end
end
local short = granted < math.min(wanted, mine.share)
if (waiting and granted < before.granted) or (short and wanted > before.wanted) then
  redis.call('PUBLISH', ARGV[7], ARGV[8])
end
return { granted, mine.share, budget, (tonumber(state[4]) or 0) + redis.call('SCARD', KEYS[3]) }
`)

/** A process ends, or is proven dead. KEYS: slots of the server. ARGV: process, channel, message. */
export const RELEASE = script(`
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
`)
