"""The Lua script of one round: everything that a process of a team exchanges about budgets, in one atomic step.

What a server holds of a budget is a *book*: `book:ID` (hash spent, base, n), `part:ID` (hash PROCESS -> what it has
spent of it in all), `when:ID` (sorted set PROCESS -> the value of n when its part last changed), `share:ID` (hash
PROCESS -> held|running|wanted). Beside them: `procs` (sorted set PROCESS -> its last round by the server's clock),
`reported`, `halts`, `state` (hash epoch, at, settled, lifts), and `turn:PROCESS`.

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
_HEAD = f"""
local LEASE, SETTLE, DAY, WAIT, SKEW = {LEASE_SECONDS * 1000}, {SETTLE_SECONDS * 1000}, 86400000, 3600000, 60000
"""
_BODY = """
local p = cmsgpack.unpack(ARGV[1])
local STATE, PROCS, REPORTED, HALTS, TURN = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function num(text) return tonumber(text or 0) or 0 end

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
  local first = 6 + (number - 1) * 4
  return KEYS[first], KEYS[first + 1], KEYS[first + 2], KEYS[first + 3]
end

local function add_part(number, book, process, amount)
  local BOOK, PART, WHEN = book_keys(number)
  local before = num(redis.call('HGET', PART, process))
  if amount <= before then return end
  redis.call('HSET', PART, process, amount)
  redis.call('HINCRBY', BOOK, 'spent', amount - before)
  redis.call('ZADD', WHEN, redis.call('HINCRBY', BOOK, 'n', 1), process)
  for _, key in ipairs({BOOK, PART, WHEN}) do redis.call('PEXPIRE', key, book.ttl) end
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

local alive, listed = {}, redis.call('ZRANGEBYSCORE', PROCS, now - LEASE, '+inf', 'WITHSCORES')
local count = #listed / 2
for index = 1, #listed, 2 do alive[listed[index]] = true end

local settling = redis.call('HGET', STATE, 'settled') ~= epoch
if settling and now - num(redis.call('HGET', STATE, 'at')) >= SETTLE then
  settling = false
  for process in pairs(alive) do
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

local rows = {}
for number, book in ipairs(p.books) do
  local BOOK, PART, WHEN, SHARE = book_keys(number)
  local base = num(redis.call('HGET', BOOK, 'base'))
  local spent = num(redis.call('HGET', BOOK, 'spent')) - base
  local others, idle, wanted, yields = 0, 0, 0, false
  local shares = redis.call('HGETALL', SHARE)
  for index = 1, #shares, 2 do
    local process = shares[index]
    if not alive[process] then
      redis.call('HDEL', SHARE, process)
    elseif process ~= p.process then
      local held, running, since = string.match(shares[index + 1], '^(%d+)|(%d+)|(%d+)$')
      held, running, since = num(held), num(running), num(since)
      others = others + held
      idle = idle + math.max(0, held - running)
      if since > 0 then wanted = 1 end
      if since > now - WAIT and (book.since == 0 or since < book.since
          or (since == book.since and process < p.process)) then
        yields = true
      end
    end
  end
  local held = 0
  if book.claimed then
    held = book.keep
    local free = book.limit - spent - others - held
    if free > 0 and not yields and not settling and not book.stays then
      if free <= book.needed then
        held = held + free
      else
        held = held + book.needed + math.floor((free - book.needed) / (2 * math.max(1, count)))
      end
    end
    local since = 0
    if held < book.goal then since = book.since end
    redis.call('HSET', SHARE, p.process, string.format('%.0f|%.0f|%.0f', held, book.running, since))
    redis.call('PEXPIRE', SHARE, DAY)
  else
    redis.call('HDEL', SHARE, p.process)
  end
  local changed = redis.call('ZRANGEBYSCORE', WHEN, '(' .. string.format('%.0f', book.stamp), '+inf')
  local parts = {}
  for _, process in ipairs(changed) do
    parts[#parts + 1] = process
    parts[#parts + 1] = num(redis.call('HGET', PART, process))
  end
  rows[number] = {spent, held, others, idle, wanted, base, num(redis.call('HGET', BOOK, 'n')), parts}
end
for index = 6 + #p.books * 4, #KEYS do redis.call('HDEL', KEYS[index], p.process) end

local told = {}
if p.known ~= count or p.turn % 8 == 0 or p.epoch ~= epoch then
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
ROUND = Script(_HEAD + _BODY)

_LEAVE = """
redis.call('ZREM', KEYS[1], ARGV[1])
for index = 2, #KEYS do redis.call('HDEL', KEYS[index], ARGV[1]) end
return 1
"""
#: Gives back the shares (KEYS[2] and on) of the process ARGV[1], which ends.
LEAVE = Script(_LEAVE)
