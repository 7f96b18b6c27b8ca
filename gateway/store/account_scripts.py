"""Accounts of money as Lua: the arithmetic of policy/budget.py, number for number, run where they are kept.

An account is a hash: `o` its origin, `g` what was granted and `e` since when, `s<second>` what was spent in a slice,
`r<granule>` what is reserved. It expires when nobody has asked for a while, because the ledger knows it. The clock of
leases is the server's; a time as one argument more takes its place, for tests. The clock of windows is the gateway's,
whose midnights Lua knows nothing of.

Lua's numbers are doubles and all here are whole and below 2**53: amounts are at most MOST, sums stop at CAP.
"""

from __future__ import annotations

from typing import Final

from gateway.policy.budget import CAP, GRANULE
from gateway.store.link import Script

_WHOLE: Final = """
local function whole(number) return string.format('%.0f', number) end
"""

RESERVE: Final = Script(
    "reserve",
    _WHOLE
    + f"""
local granule, cap = {GRANULE}, {CAP}
local lease, now = tonumber(ARGV[#KEYS * 7 + 1]), tonumber(ARGV[#KEYS * 7 + 2])
if not now then now = tonumber(redis.call('TIME')[1]) end
local tick = math.floor(now / granule)
local ends = math.floor((now + lease) / granule) + 1
local reply, granted = {{1, ends}}, 1
local taken = {{}}
for i = 1, #KEYS do
  local at = i * 7 - 7
  local limit, oldest, forget = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local amount = tonumber(ARGV[at + 5])
  local flat = redis.pcall('HGETALL', KEYS[i])
  if flat.err then
    redis.call('DEL', KEYS[i])
    flat = {{}}
  end
  local origin, given, since, spent, reserved, here = nil, nil, 0, 0, 0, 0
  local gone = {{}}
  for f = 1, #flat, 2 do
    local name, value = flat[f], tonumber(flat[f + 1])
    local kind = string.sub(name, 1, 1)
    if kind == 's' then
      local start = tonumber(string.sub(name, 2))
      if start < forget then
        gone[#gone + 1] = name
      elseif start >= oldest then
        spent = math.min(spent + value, cap)
      end
    elseif kind == 'r' then
      local ended = tonumber(string.sub(name, 2))
      if ended <= tick then
        gone[#gone + 1] = name
      else
        reserved = math.min(reserved + value, cap)
        if ended == ends then here = value end
      end
    elseif kind == 'o' then
      origin = value
    elseif kind == 'g' then
      given = value
    elseif kind == 'e' then
      since = value
    end
  end
  limit = limit or given
  local place = i * 4 - 1
  if not origin or not limit or oldest < origin then
    granted = -1
    reply[place], reply[place + 1], reply[place + 2], reply[place + 3] = -1, 0, 0, 0
  else
    reply[place], reply[place + 1], reply[place + 2], reply[place + 3] = spent, reserved, limit, since
    if amount > limit - spent - reserved and ARGV[at + 6] ~= '1' and granted == 1 then granted = 0 end
    for part = 1, #gone, 1000 do
      redis.call('HDEL', KEYS[i], unpack(gone, part, math.min(part + 999, #gone)))
    end
    if forget > origin then redis.call('HSET', KEYS[i], 'o', whole(forget)) end
    taken[i] = whole(math.min(here + amount, cap))
  end
end
reply[1] = granted
if granted == 1 then
  for i = 1, #KEYS do
    redis.call('HSET', KEYS[i], 'r' .. whole(ends), taken[i])
    redis.call('PEXPIRE', KEYS[i], ARGV[i * 7])
  end
end
return reply
""",
    hot=True,
)
"""Seven arguments an account: limit (empty: what was granted), current, oldest and forget of its span, amount, 1 for
soft, milliseconds that it lives; then the lease in seconds. Returns 1 granted, 0 denied, -1 for an account that is not
known; the granule in which the lease ends; and of each account spent (-1 for not known), reserved, limit, since."""

SETTLE: Final = Script(
    "settle-accounts",
    _WHOLE
    + f"""
local cap = {CAP}
for i = 1, #KEYS do
  local at = i * 5 - 5
  local held, slice = 'r' .. ARGV[at + 1], 's' .. ARGV[at + 3]
  local amount, cost = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 5])
  local found = redis.pcall('HMGET', KEYS[i], held, 'o', 'e', slice)
  if not found.err and found[2] then
    local reserved = tonumber(found[1])
    if reserved and reserved > amount then
      redis.call('HSET', KEYS[i], held, whole(reserved - amount))
    elseif reserved then
      redis.call('HDEL', KEYS[i], held)
    end
    if cost > 0 and tonumber(ARGV[at + 3]) >= tonumber(found[2]) and (found[3] or '0') == ARGV[at + 4] then
      redis.call('HSET', KEYS[i], slice, whole(math.min((tonumber(found[4]) or 0) + cost, cap)))
    end
  end
end
return 1
""",
    hot=True,
)
"""Five arguments an account, as a Charge has them: granule, amount, start, since, cost."""

MERGE: Final = Script(
    "merge-account",
    _WHOLE
    + f"""
local cap = {CAP}
local key, origin, granted, since, life = KEYS[1], tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local found = redis.pcall('HMGET', key, 'o', 'e')
if found.err then
  redis.call('DEL', key)
  found = {{}}
end
local known, before = tonumber(found[1] or nil), tonumber(found[2] or '0')
if known and since < before then return 0 end
if known and since > before then
  local flat = redis.call('HKEYS', key)
  for f = 1, #flat do
    if string.sub(flat[f], 1, 1) == 's' then redis.call('HDEL', key, flat[f]) end
  end
  known = nil
end
redis.call('HSET', key, 'o', whole(known and math.min(known, origin) or origin), 'e', whole(since))
if granted ~= '' then redis.call('HSET', key, 'g', granted) end
for a = 5, #ARGV, 2 do
  local slice, spent = 's' .. ARGV[a], math.min(tonumber(ARGV[a + 1]), cap)
  local had = tonumber(redis.call('HGET', key, slice) or nil)
  if not had or spent > had then redis.call('HSET', key, slice, whole(spent)) end
end
redis.call('PEXPIRE', key, life)
return 1
""",
)
"""origin, granted (empty for a budget), since, milliseconds that it lives; then start and sum of each slice."""
