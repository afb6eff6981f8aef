-- Says whether the server is the one that was known, and where it has lost what it knew, tells it what was spent.
--
-- ARGV: a text that is new each time, the text that was known or "", and then triples of a purse, nano-units that were
-- spent, and seconds for which it is kept. Answers the text that is known from now on.
local p = KEYS[1]
redis.call('SET', p .. 'epoch', ARGV[1], 'NX')
local epoch = redis.call('GET', p .. 'epoch')
if ARGV[2] ~= '' and ARGV[2] ~= epoch then
  for at = 3, #ARGV, 3 do
    local purse = p .. 'm:' .. ARGV[at]
    if tonumber(redis.call('GET', purse) or '0') < tonumber(ARGV[at + 1]) then
      redis.call('SET', purse, ARGV[at + 1], 'EX', tonumber(ARGV[at + 2]))
    end
  end
end
return epoch
