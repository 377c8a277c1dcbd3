-- What the scripts of a team use of Redis, over tables: for simulations, whose time is not the machine's.
-- tests/simulation/test_server.py compares it with a real server.
local data, expires, now, commands, elements = {}, {}, 0, 0, 0

local function text(value)
  if type(value) ~= 'number' then return value end
  if value == math.floor(value) and math.abs(value) < 1e15 then return string.format('%.0f', value) end
  return string.format('%.17g', value)
end

local function find(key)
  local ends = expires[key]
  if ends and ends <= now then data[key], expires[key] = nil, nil end
  return data[key]
end

local function make(key)
  local found = find(key)
  if not found then found = {}; data[key] = found end
  return found
end

local function drop_empty(key)
  if data[key] and next(data[key]) == nil then data[key], expires[key] = nil, nil end
end

local function bound(value, least)
  value = text(value)
  if value == '-inf' then return -math.huge, false end
  if value == '+inf' then return math.huge, false end
  if string.sub(value, 1, 1) == '(' then return tonumber(string.sub(value, 2)), true end
  return tonumber(value), false
end

local calls = {}
function calls.TIME() return {text(math.floor(now / 1000)), text((now % 1000) * 1000)} end
function calls.GET(key) return find(key) or false end
function calls.SET(key, value, mode, ttl)
  data[key] = text(value)
  expires[key] = mode == 'PX' and now + ttl or nil
  return {ok = 'OK'}
end
function calls.DEL(key)
  local had = find(key) and 1 or 0
  data[key], expires[key] = nil, nil
  return had
end
function calls.PEXPIRE(key, ttl)
  if not find(key) then return 0 end
  expires[key] = now + tonumber(ttl)
  return 1
end
function calls.HGET(key, field)
  local found = find(key)
  return found and found[text(field)] or false
end
function calls.HSET(key, ...)
  local found, given = make(key), {...}
  for index = 1, #given, 2 do found[text(given[index])] = text(given[index + 1]) end
  return #given / 2
end
function calls.HSETNX(key, field, value)
  local found = make(key)
  if found[field] then return 0 end
  found[field] = text(value)
  return 1
end
function calls.HDEL(key, field)
  local found = find(key)
  if not found or found[field] == nil then return 0 end
  found[field] = nil
  drop_empty(key)
  return 1
end
function calls.HGETALL(key)
  local flat, count = {}, 0
  for field, value in pairs(find(key) or {}) do
    flat[count + 1], flat[count + 2] = field, value
    count = count + 2
  end
  elements = elements + count / 2
  return flat
end
function calls.HMGET(key, ...)
  local found, given = find(key) or {}, {}
  for index, field in ipairs({...}) do given[index] = found[text(field)] or false end
  elements = elements + #given
  return given
end
function calls.HEXISTS(key, field)
  local found = find(key)
  return found and found[field] and 1 or 0
end
function calls.HINCRBY(key, field, amount)
  local found = make(key)
  local sum = tonumber(found[field] or 0) + tonumber(amount)
  found[field] = text(sum)
  return sum
end
function calls.ZADD(key, score, member)
  local found = make(key)
  local added = found[member] == nil and 1 or 0
  found[member] = tonumber(score)
  return added
end
function calls.ZREM(key, member)
  local found = find(key)
  if not found or found[member] == nil then return 0 end
  found[member] = nil
  drop_empty(key)
  return 1
end
function calls.ZSCORE(key, member)
  local found = find(key)
  return found and found[member] and text(found[member]) or false
end
function calls.ZCOUNT(key, least, most)
  local low, high, count = bound(least), bound(most), 0
  for _, score in pairs(find(key) or {}) do
    if score >= low and score <= high then count = count + 1 end
  end
  return count
end
function calls.ZRANGEBYSCORE(key, least, most, scores, limits, from, size)
  local low, low_open = bound(least)
  local high, high_open = bound(most)
  local chosen = {}
  for member, score in pairs(find(key) or {}) do
    local above = score > low or (score == low and not low_open)
    local below = score < high or (score == high and not high_open)
    if above and below then chosen[#chosen + 1] = {member, score} end
  end
  table.sort(chosen, function(one, other)
    if one[2] ~= other[2] then return one[2] < other[2] end
    return one[1] < other[1]
  end)
  local flat = {}
  local first = limits and from + 1 or 1
  for index = first, math.min(#chosen, limits and from + size or #chosen) do
    local pair = chosen[index]
    elements = elements + 1
    flat[#flat + 1] = pair[1]
    if scores then flat[#flat + 1] = text(pair[2]) end
  end
  return flat
end
function calls.SADD(key, member)
  local found = make(key)
  local added = found[member] and 0 or 1
  found[member] = true
  return added
end
function calls.SISMEMBER(key, member)
  local found = find(key)
  return found and found[member] and 1 or 0
end

redis = {}
function redis.call(name, ...)
  commands = commands + 1
  local call = calls[name]
  if not call then error('no command ' .. name) end
  return call(...)
end

-- MessagePack, as far as the scripts use it

local function unpack_at(raw, at)
  local tag = string.byte(raw, at)
  local function whole(size)
    local sum = 0
    for index = 1, size do sum = sum * 256 + string.byte(raw, at + index) end
    return sum, at + 1 + size
  end
  local function list(count, from)
    local found, value = {}, nil
    for index = 1, count do value, from = unpack_at(raw, from); found[index] = value end
    return found, from
  end
  local function map(count, from)
    local found, name, value = {}, nil, nil
    for _ = 1, count do
      name, from = unpack_at(raw, from)
      value, from = unpack_at(raw, from)
      found[name] = value
    end
    return found, from
  end
  local function word(size, from) return string.sub(raw, from, from + size - 1), from + size end
  if tag < 0x80 then return tag, at + 1 end
  if tag < 0x90 then return map(tag - 0x80, at + 1) end
  if tag < 0xa0 then return list(tag - 0x90, at + 1) end
  if tag < 0xc0 then return word(tag - 0xa0, at + 1) end
  if tag == 0xc0 then return nil, at + 1 end
  if tag == 0xc2 then return false, at + 1 end
  if tag == 0xc3 then return true, at + 1 end
  local size, from
  if tag == 0xcc then return whole(1) end
  if tag == 0xcd then return whole(2) end
  if tag == 0xce then return whole(4) end
  if tag == 0xcf then return whole(8) end
  if tag == 0xd9 or tag == 0xc4 then size, from = whole(1); return word(size, from) end
  if tag == 0xda or tag == 0xc5 then size, from = whole(2); return word(size, from) end
  if tag == 0xdb then size, from = whole(4); return word(size, from) end
  if tag == 0xdc then size, from = whole(2); return list(size, from) end
  if tag == 0xdd then size, from = whole(4); return list(size, from) end
  if tag == 0xde then size, from = whole(2); return map(size, from) end
  if tag == 0xdf then size, from = whole(4); return map(size, from) end
  error('no form ' .. tag)
end

local function big(value, size)
  local found = {}
  for index = size, 1, -1 do
    found[index] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(found)
end

local function pack_into(out, value)
  local kind = type(value)
  if kind == 'number' then
    if value ~= math.floor(value) then error('no whole number') end
    if value >= 0 and value < 128 then out[#out + 1] = string.char(value)
    elseif value >= 0 then out[#out + 1] = '\207' .. big(value, 8)
    else out[#out + 1] = '\211' .. string.char(255) .. big(value % 2 ^ 56, 7) end
  elseif kind == 'boolean' then out[#out + 1] = value and '\195' or '\194'
  elseif kind == 'string' then out[#out + 1] = '\219' .. big(#value, 4) .. value
  elseif kind == 'table' then
    local count = 0
    for _ in pairs(value) do count = count + 1 end
    if count == #value then
      out[#out + 1] = '\221' .. big(count, 4)
      for index = 1, count do pack_into(out, value[index]) end
    else
      out[#out + 1] = '\223' .. big(count, 4)
      for name, inner in pairs(value) do pack_into(out, name); pack_into(out, inner) end
    end
  else error('no value ' .. kind) end
end

cmsgpack = {}
function cmsgpack.unpack(raw) local found = unpack_at(raw, 1); return found end
function cmsgpack.pack(value) local out = {}; pack_into(out, value); return table.concat(out) end

-- For Python

server = {}
function server.at(moment) now = moment end
function server.commands() return commands end
function server.elements() return elements end
function server.flush() data, expires = {}, {} end
function server.copy()
  local copied, ends = {}, {}
  for key, value in pairs(data) do
    if type(value) == 'table' then
      local inner = {}
      for name, one in pairs(value) do inner[name] = one end
      copied[key] = inner
    else copied[key] = value end
  end
  for key, moment in pairs(expires) do ends[key] = moment end
  return {copied, ends}
end
function server.restore(state) data, expires = state[1], state[2] end
function server.execute(...) return redis.call(...) end
function server.load(source) return loadstring(source) end
function server.run(script, keys, argv) KEYS, ARGV = keys, argv; return script() end
