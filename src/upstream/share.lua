-- Keeps how a breaker is, and tells every relay; of two that are open the longer rest stands.
--
-- ARGV: the breaker's name, its change as a text, its state, and milliseconds for which it is open.
local p, name, text, state, rest = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if state == 'open' then
  local known = redis.call('HGET', p .. 'breakers', name)
  local till = known and tonumber(string.match(known, '^%d+')) or 0
  if till >= now + rest then
    return 'older'
  end
  redis.call('HSET', p .. 'breakers', name, string.format('%.0f', now + rest) .. ' ' .. text)
  redis.call('PEXPIRE', p .. 'breakers', math.max(rest, redis.call('PTTL', p .. 'breakers')))
elseif state == 'closed' then
  redis.call('HDEL', p .. 'breakers', name)
end
redis.call('PUBLISH', p .. 'breakers', text)
return 'told'
