-- ARGV: clock. {waiting, age of the oldest in ms} for each lane, then how many rest and how many are held.
local stats = {}
for _, lane in ipairs(lanes) do
  local oldest = now()
  for _, place in ipairs({ 'ring', 'aged', 'parked' }) do
    local head = call('ZRANGE', heads('all', lane, place), 0, 0, 'WITHSCORES')
    oldest = math.min(oldest, tonumber(head[2]) or now())
  end
  stats[#stats + 1] = tonumber(call('HGET', counts, 'waiting:' .. lane)) or 0
  stats[#stats + 1] = math.floor((now() - oldest) / 1000)
end
stats[7] = call('ZCARD', due)
stats[8] = call('ZCARD', leases)
return stats
