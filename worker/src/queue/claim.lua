-- ARGV: clock, worker, lease in ms, how many, most to promote, age in ms at which a standard and a background entry are
-- served as premium. Returns {id, attempts, payload} for each entry claimed.

-- Entries whose rest or whose lease is over wait again; so many at a time that a script stays short.
for _, set in ipairs({ due, leases }) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, ARGV[5])) do
    redis.call('ZREM', set, id)
    wait_again(id)
  end
end

local ages = { [0] = 0, ARGV[6] * 1000, ARGV[7] * 1000 }

-- The head of the best lane: premium before standard before background, an entry that has aged as premium, and of two in
-- the same class the one that has waited longer.
local function next_entry()
  local best
  for lane = 0, 2 do
    local head = redis.call('ZRANGE', lanes[lane], 0, 0, 'WITHSCORES')
    if head[1] then
      local since = tonumber(head[2])
      local class = now - since >= ages[lane] and 0 or lane
      if not best or class < best.class or (class == best.class and since < best.since) then
        best = { id = head[1], lane = lane, class = class, since = since }
      end
    end
  end
  return best
end

local claimed = {}
while #claimed < tonumber(ARGV[4]) do
  local best = next_entry()
  if not best then
    break
  end
  redis.call('ZREM', lanes[best.lane], best.id)
  local payload = redis.call('HGET', entry(best.id), 'payload')
  if payload then
    local attempts = redis.call('HINCRBY', entry(best.id), 'attempts', 1)
    redis.call('HSET', entry(best.id), 'worker', ARGV[2])
    redis.call('ZADD', leases, now + ARGV[3] * 1000, best.id)
    claimed[#claimed + 1] = { best.id, attempts, payload }
  end
end
return claimed
