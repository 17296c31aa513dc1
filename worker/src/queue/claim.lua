-- ARGV: clock, worker, lease in ms, how many, most to bring back, "all" or "short". Returns {id, attempts, payload} for each
-- entry claimed.
local worker, lease, most, bound, jobs = ARGV[2], ARGV[3] * 1000, tonumber(ARGV[4]), ARGV[5], ARGV[6]

-- Entries whose rest or whose lease is over wait again; so many at a time that a script stays short.
for _, id in ipairs(call('ZRANGEBYSCORE', due, '-inf', now(), 'LIMIT', 0, bound)) do
  call('ZREM', due, id)
  wait_again(id)
end
for _, id in ipairs(call('ZRANGEBYSCORE', leases, '-inf', now(), 'LIMIT', 0, bound)) do
  let_go(id, unpack(call('HMGET', job(id), 'user', 'limit')))
  wait_again(id)
end

-- Flows whose first entry has aged get a turn among premium.
for _, of in ipairs({ 'all', 'short' }) do
  for _, lane in ipairs({ '1', '2' }) do
    local found = call('ZRANGEBYSCORE', heads(of, lane, 'ring'), '-inf', now() - ages[lane], 'LIMIT', 0, bound)
    for _, name in ipairs(found) do
      arrange(flow_of(lane, string.sub(name, 3)))
    end
  end
end

-- The name of the flow to be served, and of the aged flow whose premium turn that takes, if it is one. The lane of an aged flow
-- gives the turn to whoever is next in the lane: else all of one user's jobs, once aged, would come before another's first.
local function next_flow()
  local premium = call('ZRANGE', turns(jobs, '0'), 0, 0, 'WITHSCORES')
  if someone_aged ~= false then
    local payer = call('ZRANGE', aged(jobs), 0, 0, 'WITHSCORES')
    someone_aged = payer[1] ~= nil
    if someone_aged and not (premium[1] and tonumber(premium[2]) < tonumber(payer[2])) then
      return call('ZRANGE', turns(jobs, string.sub(payer[1], 1, 1)), 0, 0)[1], payer[1]
    end
  end
  return premium[1] or call('ZRANGE', turns(jobs, '1'), 0, 0)[1] or call('ZRANGE', turns(jobs, '2'), 0, 0)[1]
end

local claimed = {}
while #claimed < most do
  local name, payer = next_flow()
  if not name then
    break
  end
  local flow = flow_of(string.sub(name, 1, 1), string.sub(name, 3))
  -- Of an earlier turn, only one is left that was seen.
  flow.seen_long, flow.seen_short = nil, nil
  local entry, _, set = first(flow, jobs)
  local id = string.match(entry, '^(.*):%d+$')
  local payload, attempts = unpack(call('HMGET', job(id), 'payload', 'attempts'))
  leave(flow, entry, set)
  if payload then
    attempts = (attempts or 0) + 1
    call('HSET', job(id), 'attempts', attempts, 'worker', worker, 'turn', flow.turn)
    call('ZADD', leases, now() + lease, id)
    flow.turn, flow.turned = ticket(), true
    if payer then
      call('ZADD', aged(jobs), payer == name and flow.turn or ticket(), payer)
    end
    if limit_of(entry) > 0 then
      run(flow.user, 1, flow)
    else
      arrange(flow)
    end
    claimed[#claimed + 1] = { id, attempts, payload }
  else
    -- Somebody deleted it past the queue.
    arrange(flow)
  end
end
finish()
return claimed
