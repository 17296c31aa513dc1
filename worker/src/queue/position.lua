-- ARGV: clock, id. How many entries of its lane are served before it; nil unless it waits.
local lane = redis.call('HGET', entry(ARGV[2]), 'lane')
return lane and redis.call('ZRANK', lanes[tonumber(lane)], ARGV[2])
