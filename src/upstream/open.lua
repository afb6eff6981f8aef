-- Every breaker that is open still: pairs of milliseconds that are left, and its change as a text.
local p = KEYS[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local found = {}
local all = redis.call('HGETALL', p .. 'breakers')
for at = 1, #all, 2 do
  local till, text = string.match(all[at + 1], '^(%d+) (.*)$')
  local left = (tonumber(till) or 0) - now
  if left > 0 then
    found[#found + 1] = string.format('%.0f', left)
    found[#found + 1] = text
  else
    redis.call('HDEL', p .. 'breakers', all[at])
  end
end
return found
