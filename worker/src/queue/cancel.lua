-- ARGV: clock, id. Forgets an entry that waits or rests; 0 when it is unknown or a worker holds it.
local id = ARGV[2]
local lane = redis.call('HGET', entry(id), 'lane')
if not lane then
  return 0
end
if redis.call('ZREM', lanes[tonumber(lane)], id) + redis.call('ZREM', due, id) == 0 then
  return 0
end
redis.call('DEL', entry(id))
return 1
