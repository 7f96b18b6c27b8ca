"""Token buckets as Lua: the arithmetic of policy/token_bucket.py, number for number, run where the levels are kept.

A bucket is a string, `level since`, that expires when it would be full, because a bucket that nobody knows is full. The
only clock is the server's. A time as one argument more than the buckets need takes its place, for tests: then nothing
expires, because the server's own clock knows nothing of such a time.

Lua's numbers are doubles and all here are whole and below 2**53, which Rate sees to.
"""

from __future__ import annotations

from typing import Final

from gateway.store.link import Script

_COMMON: Final = """
local width = %d
local now, kept = tonumber(ARGV[#KEYS * width + 1]), true
if not now then
  local time = redis.call('TIME')
  now, kept = time[1] * 1000000 + time[2], false
end

local function refilled(stored, step, full)
  if not stored then return full end
  local level, since = string.match(stored, '^(-?%%d+) (-?%%d+)$')
  if not level then return full end
  level, since = tonumber(level), tonumber(since)
  if now <= since then return level end
  local elapsed = now - since
  if elapsed * step >= 2 * full then return full end
  return math.min(full, level + elapsed * step)
end

local function put(key, level, step, full)
  if level >= full then
    redis.call('DEL', key)
  elseif kept then
    redis.call('SET', key, string.format('%%.0f %%.0f', level, now))
  else
    local milliseconds = math.ceil((full - level) / step / 1000) + 1
    redis.call('SET', key, string.format('%%.0f %%.0f', level, now), 'PX', string.format('%%.0f', milliseconds))
  end
end
"""

TAKE: Final = Script(
    "take",
    _COMMON % 5
    + """
local stored = redis.call('MGET', unpack(KEYS))
local reply, taken, granted = {1, now}, {}, 1
for i = 1, #KEYS do
  local at = i * 5 - 4
  local step, unit, capacity = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local amount = tonumber(ARGV[at + 3])
  local full = capacity * unit
  local level = refilled(stored[i], step, full)
  reply[i + 2] = level
  if level >= amount * unit then
    taken[i] = {level - amount * unit, step, full}
  elseif ARGV[at + 4] ~= '1' then
    granted = 0
  end
end
reply[1] = granted
if granted == 1 then
  for i = 1, #KEYS do
    local after = taken[i]
    if after then put(KEYS[i], after[1], after[2], after[3]) end
  end
end
return reply
""",
    hot=True,
)
"""Five arguments a bucket: step, unit, capacity, amount (at most one above the capacity), 1 for a shadow. Returns 1 or
0 for granted or denied, the time in microseconds, and the level of each bucket before anything was taken."""

SETTLE: Final = Script(
    "settle",
    _COMMON % 4
    + """
local stored = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  local at = i * 4 - 3
  local step, unit = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local full = tonumber(ARGV[at + 2]) * unit
  local level = refilled(stored[i], step, full) + tonumber(ARGV[at + 3]) * unit
  put(KEYS[i], math.max(-full, math.min(full, level)), step, full)
end
return now
""",
    hot=True,
)
"""Four arguments a bucket: step, unit, capacity, and what comes back, within two capacities. Returns the time."""
