-- ARGV: clock. {waiting, age of the oldest in ms} for each lane, then how many rest and how many are held.
local stats = {}
for lane = 0, 2 do
  local head = redis.call('ZRANGE', lanes[lane], 0, 0, 'WITHSCORES')
  stats[lane * 2 + 1] = redis.call('ZCARD', lanes[lane])
  stats[lane * 2 + 2] = head[2] and math.max(0, math.floor((now - head[2]) / 1000)) or 0
end
stats[7] = redis.call('ZCARD', due)
stats[8] = redis.call('ZCARD', leases)
return stats
