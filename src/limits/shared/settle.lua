-- Ends a call's share, once, however often it is asked to.
--
-- ARGV: id, and what was used: "nothing", "estimate", or "counted" with tokens and nano-units.
-- Answers for each purse that changed what it has spent now, in the order of the bounds; "" for a bound without one.
local p, id, used = KEYS[1], ARGV[1], ARGV[2]
local text = redis.call('GET', p .. 'o:' .. id)
if not text then
  return {}
end
redis.call('DEL', p .. 'o:' .. id)
local open = cjson.decode(text)
local taken, nanos = tonumber(open.t), open.n
local tokens, cost = taken, nanos
if used == 'counted' then
  tokens, cost = tonumber(ARGV[3]), ARGV[4]
elseif used == 'nothing' then
  tokens, cost = 0, '0'
end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local MINUTE = 60000000

local function correct(key, span)
  local full = tonumber(redis.call('GET', key) or '0')
  full = math.max(full, now) + span
  if full > now then
    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1000)
  else
    redis.call('DEL', key)
  end
end

local answer = {}
for at, b in ipairs(open.b) do
  answer[at] = ''
  if b.conc then
    redis.call('ZREM', p .. 'c:' .. b.s, id)
  end
  if b.req and used == 'nothing' then
    correct(p .. 'r:' .. b.s, -MINUTE / b.req)
  end
  if b.tok and tokens ~= taken then
    correct(p .. 't:' .. b.s, (tokens - taken) * MINUTE / b.tok)
  end
  if b.purse then
    if cost ~= nanos and redis.call('EXISTS', b.purse) == 1 then
      redis.call('DECRBY', b.purse, nanos)
      redis.call('INCRBY', b.purse, cost)
    end
    answer[at] = redis.call('GET', b.purse) or ''
  end
end
return answer
