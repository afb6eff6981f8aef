-- Keeps a login for every relay, or forgets it, and tells them. ARGV: its public name, its text or "" where it has ended,
-- and what is told.
local p = KEYS[1]
if ARGV[2] == '' then
  redis.call('HDEL', p .. 'logins', ARGV[1])
else
  redis.call('HSET', p .. 'logins', ARGV[1], ARGV[2])
  -- A week: no login is older.
  redis.call('EXPIRE', p .. 'logins', 604800)
end
redis.call('PUBLISH', p .. 'logins', ARGV[3])
return 'ok'
