-- ARGV: clock, id, attempts, delay in ms. Gives a held entry back, to wait again after the delay; 0 when the claim no longer
-- holds it.
local id, delay = ARGV[2], tonumber(ARGV[4])
if not holds(id, ARGV[3]) then
  return 0
end
redis.call('ZREM', leases, id)
if delay > 0 then
  redis.call('HDEL', entry(id), 'worker')
  redis.call('ZADD', due, now + delay * 1000, id)
else
  wait_again(id)
end
return 1
