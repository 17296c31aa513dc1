-- ARGV: clock, id, payload, user, lane, short. 1 when the entry is new, 0 when the queue knows it.
local id = ARGV[2]
if redis.call('EXISTS', entry(id)) == 1 then
  return 0
end
redis.call('HSET', entry(id), 'payload', ARGV[3], 'user', ARGV[4], 'lane', ARGV[5], 'short', ARGV[6],
  'since', now, 'attempts', 0)
wait_again(id)
return 1
