-- Renews the places of calls that are under way; it puts them back where the server has lost them.
--
-- ARGV: milliseconds of a lease, and then pairs of a subject and an id.
local p, lease = KEYS[1], tonumber(ARGV[1])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
for at = 2, #ARGV, 2 do
  redis.call('ZADD', p .. 'c:' .. ARGV[at], now + lease * 1000, ARGV[at + 1])
  redis.call('PEXPIRE', p .. 'c:' .. ARGV[at], lease)
end
return 'ok'
