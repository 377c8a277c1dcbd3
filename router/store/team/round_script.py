"""The Lua script of one round: everything that a process of a team exchanges about budgets, in one atomic step.

What a server holds of a budget is a *book*: `book:ID` (hash spent, base, n), `part:ID` (hash PROCESS -> what it has
spent of it in all), `when:ID` (sorted set PROCESS -> the value of n when its part last changed), `share:ID` (hash
PROCESS -> held|running|needed, and SUM -> held|idle|needed of all), `lease:ID` (sorted set PROCESS -> a round of its
last seconds with a share), `wait:ID` (sorted set PROCESS -> since when its request waits). Beside them: `procs` (sorted
set PROCESS -> its last round by the server's clock), `reported`, `halts`, `state` (hash epoch, at, settled, lifts), and
`turn:PROCESS`.

A round costs the same for any number of processes: it reads sums, the leases that have ended, and of those that wait
only as many as the room that is left is for, AHEAD at most. The parts of all, which only a server that loses its data
needs, are read every few seconds (`reads`).

Parts only grow, so a round that is sent again, because its reply was lost, books nothing twice, and a server that has
lost its data is filled again by what each process remembers of all parts. That begins an *epoch*: on a server that has
none, or an older one, or has forgotten a turn that it had confirmed in this one, since it restarted from older data or
another took its place. In a new epoch no process is given more than it holds already until each that may hold a share
has come, or its lease has ended: else what is held and was forgotten would be handed out again.
"""

from router.store.team.client import Script

LEASE_SECONDS = 30
#: In a new epoch nothing is handed out for so long: those that were not known have come by then.
SETTLE_SECONDS = 1
#: Nobody leaves room for a process that waits and was not heard of for so long: it is cut off, or was killed.
HEARD_SECONDS = 2
#: A round looks at so many of those that wait for longer at most.
AHEAD = 64
_HEAD = f"""
local LEASE, SETTLE, DAY, WAIT, SKEW = {LEASE_SECONDS * 1000}, {SETTLE_SECONDS * 1000}, 86400000, 3600000, 60000
local HEARD, AHEAD, CHUNK = {HEARD_SECONDS * 1000}, {AHEAD}, 1000
"""
_SHARES = """
local SUM = '+'
local function num(text) return tonumber(text or 0) or 0 end

local function read_share(text)
  local held, running, needed = string.match(text or '', '^(%d+)|(%d+)|(%d+)$')
  return num(held), num(running), num(needed)
end

local function write_share(SHARE, process, old, held, running, needed, sum)
  -- Sets the share of a process, which was {held, running, needed}; corrects the sums, {held, idle, needed} of all.
  sum[1] = sum[1] + held - old[1]
  sum[2] = sum[2] + math.max(0, held - running) - math.max(0, old[1] - old[2])
  sum[3] = sum[3] + needed - old[3]
  redis.call('HSET', SHARE, process, string.format('%.0f|%.0f|%.0f', held, running, needed),
    SUM, string.format('%.0f|%.0f|%.0f', sum[1], sum[2], sum[3]))
end

local function drop_share(SHARE, LEASES, WAITS, process)
  local found = redis.call('HMGET', SHARE, SUM, process)
  if found[2] then
    write_share(SHARE, process, {read_share(found[2])}, 0, 0, 0, {read_share(found[1])})
    redis.call('HDEL', SHARE, process)
  end
  redis.call('ZREM', LEASES, process)
  redis.call('ZREM', WAITS, process)
end
"""
_BODY = """
local p = cmsgpack.unpack(ARGV[1])
local STATE, PROCS, REPORTED, HALTS, TURN = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The epoch

local epoch = redis.call('HGET', STATE, 'epoch')
local turn = num(redis.call('GET', TURN))
local function number_of(name) return num(string.match(name or '', '^(%d+):')) end
local older = epoch and number_of(epoch) < number_of(p.epoch)
local lost = not epoch or older or (p.epoch == epoch and turn < p.acked)
if p.epoch ~= '' and not p.restore and (lost or p.epoch ~= epoch) then
  return cmsgpack.pack({again = 1})
end
if lost then
  epoch = string.format('%.0f:%s', math.max(number_of(epoch), number_of(p.epoch)) + 1, p.fresh)
  redis.call('HSET', STATE, 'epoch', epoch, 'at', now)
  redis.call('DEL', REPORTED)
end

local function book_keys(number)
  local first = 6 + (number - 1) * 6
  return KEYS[first], KEYS[first + 1], KEYS[first + 2], KEYS[first + 3], KEYS[first + 4], KEYS[first + 5]
end

local function add_part(number, book, process, amount)
  local BOOK, PART, WHEN = book_keys(number)
  local before = num(redis.call('HGET', PART, process))
  if amount <= before then return end
  redis.call('HSET', PART, process, amount)
  redis.call('HINCRBY', BOOK, 'spent', amount - before)
  redis.call('ZADD', WHEN, redis.call('HINCRBY', BOOK, 'n', 1), process)
  if before == 0 or p.reads then
    for _, key in ipairs({BOOK, PART, WHEN}) do redis.call('PEXPIRE', key, book.ttl) end
  end
end

if p.restore then
  for index = 1, #p.restore.procs, 2 do
    local process, beat = p.restore.procs[index], p.restore.procs[index + 1]
    if beat > now - LEASE and beat > num(redis.call('ZSCORE', PROCS, process)) then
      redis.call('ZADD', PROCS, beat, process)
    end
  end
  local lifts = num(redis.call('HGET', STATE, 'lifts'))
  if p.restore.lifts > lifts then
    redis.call('DEL', HALTS)
    redis.call('HSET', STATE, 'lifts', p.restore.lifts)
  end
  if p.restore.lifts >= lifts then
    for index = 1, #p.restore.halts, 2 do
      redis.call('HSETNX', HALTS, p.restore.halts[index], p.restore.halts[index + 1])
    end
  end
  for number, book in ipairs(p.books) do
    local BOOK = book_keys(number)
    for index = 1, #book.parts, 2 do add_part(number, book, book.parts[index], book.parts[index + 1]) end
    if book.base > num(redis.call('HGET', BOOK, 'base')) then redis.call('HSET', BOOK, 'base', book.base) end
  end
end

-- Processes

for _, process in ipairs(redis.call('ZRANGEBYSCORE', PROCS, '-inf', now - DAY)) do
  redis.call('ZREM', PROCS, process)
end
if p.claims then
  redis.call('ZADD', PROCS, now, p.process)
else
  redis.call('ZREM', PROCS, p.process)
end
redis.call('SADD', REPORTED, p.process)
redis.call('SET', TURN, string.format('%.0f', math.max(turn, p.turn)), 'PX', 40 * DAY)
for _, key in ipairs({STATE, PROCS, REPORTED}) do redis.call('PEXPIRE', key, 40 * DAY) end

local count = redis.call('ZCOUNT', PROCS, now - LEASE, '+inf')
local settling = redis.call('HGET', STATE, 'settled') ~= epoch
if settling and now - num(redis.call('HGET', STATE, 'at')) >= SETTLE then
  settling = false
  for _, process in ipairs(redis.call('ZRANGEBYSCORE', PROCS, now - LEASE, '+inf')) do
    settling = settling or redis.call('SISMEMBER', REPORTED, process) == 0
  end
  if not settling then redis.call('HSET', STATE, 'settled', epoch) end
end

-- What was spent

for number, book in ipairs(p.books) do
  if book.own > 0 then add_part(number, book, p.process, book.own) end
  if book.history > 0 then
    -- What this home spent before it came, without what its processes have booked here.
    local BOOK, PART = book_keys(number)
    local parts, sum, before = redis.call('HGETALL', PART), 0, 0
    for index = 1, #parts, 2 do
      if parts[index] == p.home then before = num(parts[index + 1]) end
      if parts[index] == p.home or string.sub(parts[index], 1, #p.home + 1) == p.home .. '.' then
        sum = sum + num(parts[index + 1])
      end
    end
    if book.history > sum then add_part(number, book, p.home, before + book.history - sum) end
  end
end

-- Halts

for _, halt in ipairs(p.halts) do
  if halt.turn > turn then
    local old = redis.call('HGET', HALTS, halt.scope)
    local holds = false
    if old then
      local known = cjson.decode(old)
      holds = known[1] - SKEW <= now and now < known[2]
    end
    if not holds then redis.call('HSET', HALTS, halt.scope, halt.what) end
    redis.call('PEXPIRE', HALTS, 40 * DAY)
  end
end
if p.lift > turn then
  local halts = redis.call('HGETALL', HALTS)
  for index = 2, #halts, 2 do
    local book = cjson.decode(halts[index])[6]
    if book ~= '' then
      local BOOK = p.prefix .. 'book:' .. book
      local spent = redis.call('HGET', BOOK, 'spent')
      if spent then redis.call('HSET', BOOK, 'base', spent) end
    end
  end
  redis.call('DEL', HALTS)
  redis.call('HINCRBY', STATE, 'lifts', 1)
end

-- Shares

local function sum_ahead(book, SHARE, WAITS, sum, free)
  -- What those need that wait for longer, up to what is free.
  local ahead, line = 0, redis.call(
    'ZRANGEBYSCORE', WAITS, now - WAIT, string.format('%.0f', book.since), 'WITHSCORES', 'LIMIT', 0, AHEAD)
  for index = 1, #line, 2 do
    local process, since = line[index], num(line[index + 1])
    if process ~= p.process and (since < book.since or process < p.process) then
      local share = {read_share(redis.call('HGET', SHARE, process))}
      if num(redis.call('ZSCORE', PROCS, process)) < now - HEARD then
        redis.call('ZREM', WAITS, process)
        write_share(SHARE, process, share, share[1], share[2], 0, sum)
      else
        ahead = ahead + share[3]
      end
      if ahead >= free then return free end
    end
  end
  return #line == 2 * AHEAD and free or ahead
end

local rows = {}
for number, book in ipairs(p.books) do
  local BOOK, PART, WHEN, SHARE, LEASES, WAITS = book_keys(number)
  local looks = p.reads or (book.claimed and book.needed > 0)
  for _, process in ipairs(looks and redis.call('ZRANGEBYSCORE', LEASES, '-inf', now - LEASE) or {}) do
    -- Its lease is noted every few rounds only.
    if process ~= p.process and num(redis.call('ZSCORE', PROCS, process)) < now - LEASE then
      drop_share(SHARE, LEASES, WAITS, process)
    end
  end
  local found = redis.call('HMGET', BOOK, 'spent', 'base', 'n')
  local base, stamp = num(found[2]), num(found[3])
  local spent = num(found[1]) - base
  local shares = redis.call('HMGET', SHARE, SUM, p.process)
  local sum, mine = {read_share(shares[1])}, {read_share(shares[2])}
  local others, idle = sum[1] - mine[1], sum[2] - math.max(0, mine[1] - mine[2])
  local held = 0
  if book.claimed then
    held = book.keep
    local free = book.limit - spent - others - held
    if free > 0 and not settling and not book.stays then
      local ahead, more = sum[3] - mine[3], true
      if book.needed > 0 and ahead > 0 and ahead + book.needed > free then
        -- There is no room for all, so that those that came later get nothing yet, and nobody more than it needs.
        ahead, more = sum_ahead(book, SHARE, WAITS, sum, free), false
      end
      free = math.max(0, free - ahead)
      if free <= book.needed then
        -- A part of what it needs is of use to the first in line alone.
        if free == book.needed or ahead == 0 then held = held + free end
      elseif more then
        held = held + book.needed + math.floor((free - book.needed) / (2 * math.max(1, count)))
      else
        held = held + book.needed
      end
    end
    local needed = 0
    if held < book.goal and book.since > now - WAIT then
      needed = book.goal - held
      redis.call('ZADD', WAITS, book.since, p.process)
      redis.call('PEXPIRE', WAITS, DAY)
    elseif mine[3] > 0 then
      redis.call('ZREM', WAITS, p.process)
    end
    write_share(SHARE, p.process, mine, held, book.running, needed, sum)
    if p.reads or not shares[2] then
      redis.call('ZADD', LEASES, now, p.process)
      redis.call('PEXPIRE', SHARE, DAY)
      redis.call('PEXPIRE', LEASES, DAY)
    end
    mine[3] = needed
  elseif shares[2] then
    drop_share(SHARE, LEASES, WAITS, p.process)
    sum[3], mine[3] = sum[3] - mine[3], 0
  end
  local parts = {}
  if p.reads or book.stamp == 0 then
    local changed = redis.call('ZRANGEBYSCORE', WHEN, '(' .. string.format('%.0f', book.stamp), '+inf')
    for first = 1, #changed, CHUNK do
      local last = math.min(#changed, first + CHUNK - 1)
      local amounts = redis.call('HMGET', PART, unpack(changed, first, last))
      for index = first, last do
        parts[2 * index - 1], parts[2 * index] = changed[index], num(amounts[index - first + 1])
      end
    end
  else
    stamp = book.stamp
  end
  rows[number] = {spent, held, others, idle, sum[3] > mine[3] and 1 or 0, base, stamp, parts}
end
for index = 6 + #p.books * 6, #KEYS, 3 do drop_share(KEYS[index], KEYS[index + 1], KEYS[index + 2], p.process) end

local told = {}
if p.reads or p.epoch ~= epoch then
  local listed = redis.call('ZRANGEBYSCORE', PROCS, now - LEASE, '+inf', 'WITHSCORES')
  for index = 1, #listed, 2 do
    told[index] = listed[index]
    told[index + 1] = num(listed[index + 1])
  end
end
return cmsgpack.pack({
  epoch = epoch, now = now, settling = settling and 1 or 0, lifts = num(redis.call('HGET', STATE, 'lifts')),
  halts = redis.call('HGETALL', HALTS), rows = rows, procs = told, count = count,
})
"""
ROUND = Script(_HEAD + _SHARES + _BODY)

_LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
for index = 2, #KEYS, 3 do drop_share(KEYS[index], KEYS[index + 1], KEYS[index + 2], ARGV[1]) end
return 1
"""
#: Gives back the shares of the process ARGV[1], which ends: KEYS[2] and on are `share`, `lease`, `wait` of each book.
LEAVE = Script(_SHARES + _LEAVE)
