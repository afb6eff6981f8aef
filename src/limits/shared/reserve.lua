-- Takes a call's share of every bound, or tells which one refuses it; then nothing is taken.
--
-- ARGV: id, tokens, nano-units, milliseconds of a place's lease, and for each bound: subject, requests a minute, tokens a
-- minute, calls at once, nano-units of its budget, the budget's window, and seconds for which the window is kept. An empty
-- text is no limit. The time is the server's, so all relays have one.
-- Answers "ok" and for each bound microseconds until its requests and its tokens are full and what it has spent; or "no",
-- which bound, which limit, and microseconds to wait.
local p, id = KEYS[1], ARGV[1]
local tokens, nanos, lease = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local MINUTE = 60000000

local function whole(n)
  return string.format('%.0f', n)
end
local function full_at(key)
  return math.max(tonumber(redis.call('GET', key) or '0'), now)
end
local function no(at, what, wait)
  return {'no', whole(at), what, whole(wait)}
end

local bounds = {}
for at = 5, #ARGV, 7 do
  local b = {
    s = ARGV[at],
    req = tonumber(ARGV[at + 1]),
    tok = tonumber(ARGV[at + 2]),
    conc = tonumber(ARGV[at + 3]),
    max = tonumber(ARGV[at + 4]),
    window = ARGV[at + 5],
    keep = tonumber(ARGV[at + 6]),
    req_full = now,
    tok_full = now,
  }
  local number = #bounds
  if b.conc then
    redis.call('ZREMRANGEBYSCORE', p .. 'c:' .. b.s, '-inf', now)
    if redis.call('ZCARD', p .. 'c:' .. b.s) >= b.conc then
      return no(number, 'concurrent', 0)
    end
  end
  if b.req then
    b.req_full = full_at(p .. 'r:' .. b.s) + MINUTE / b.req
    if b.req_full > now + MINUTE then
      return no(number, 'requests', b.req_full - now - MINUTE)
    end
  end
  if b.tok then
    local full = full_at(p .. 't:' .. b.s)
    local after = full + math.min(tokens, b.tok) * MINUTE / b.tok
    if after > now + MINUTE then
      return no(number, 'tokens', after - now - MINUTE)
    end
    b.tok_full = full + tokens * MINUTE / b.tok
  end
  if b.max then
    b.purse = p .. 'm:' .. b.s .. ':' .. b.window
    if tonumber(redis.call('GET', b.purse) or '0') + tonumber(nanos) > b.max then
      return no(number, 'budget', 0)
    end
  end
  bounds[number + 1] = b
end

local answer, held = {'ok'}, {}
for at, b in ipairs(bounds) do
  local spent = '0'
  if b.conc then
    redis.call('ZADD', p .. 'c:' .. b.s, now + lease * 1000, id)
    redis.call('PEXPIRE', p .. 'c:' .. b.s, lease)
  end
  if b.req then
    redis.call('SET', p .. 'r:' .. b.s, whole(b.req_full), 'PX', math.ceil((b.req_full - now) / 1000) + 1000)
  end
  if b.tok then
    redis.call('SET', p .. 't:' .. b.s, whole(b.tok_full), 'PX', math.ceil((b.tok_full - now) / 1000) + 1000)
  end
  if b.max then
    redis.call('INCRBY', b.purse, nanos)
    redis.call('EXPIRE', b.purse, b.keep)
    spent = redis.call('GET', b.purse)
  end
  held[at] = {s = b.s, req = b.req, tok = b.tok, conc = b.conc, purse = b.purse}
  answer[#answer + 1] = whole(b.req_full - now)
  answer[#answer + 1] = whole(b.tok_full - now)
  answer[#answer + 1] = spent
end
-- A day: no call is longer, and one whose relay is gone stands at its estimate.
redis.call('SET', p .. 'o:' .. id, cjson.encode({t = whole(tokens), n = nanos, b = held}), 'EX', 86400)
return answer
