-- ARGV: clock, lease in ms, how many, most to bring back, "all" or "short". Returns {id, attempts, payload} for each entry claimed.
local lease, most, bound, jobs = ARGV[2] * 1000, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

-- Entries whose rest or whose lease is over wait again; so many at a time that a script stays short.
for _, id in ipairs(read_until(due, now(), bound)) do
  drop(due, id)
  wait_again(id)
end
for _, id in ipairs(read_until(leases, now(), bound)) do
  local entry = job_of(id)
  if entry then
    let_go(id, entry.attempts)
    wait_again(id)
  else
    drop(leases, id)
  end
end

-- Flows whose first entry has aged get a turn among premium.
for _, of in ipairs({ 'all', 'short' }) do
  for _, lane in ipairs({ '1', '2' }) do
    for _, name in ipairs(read_until(heads(of, lane, 'ring'), now() - ages[lane], bound)) do
      arrange(flow_of(lane, string.sub(name, 3)))
    end
  end
end

-- The first flows of each lane, with their turns when they were read: who was served since has another, later than any.
local seen_rings = {}
local function is_there(flow)
  local place
  if flow then
    place = jobs == 'all' and flow.place or jobs == 'short' and flow.short_place
  end
  return place and place ~= 'parked'
end

-- The flow of a lane whose turn it is.
local function head(lane)
  while true do
    local ring = seen_rings[lane]
    if not ring or (ring.at > #ring.turns and not ring.is_whole) then
      local found, of_users = read(turns(jobs, lane), 0, most - 1), {}
      ring = { at = 1, turns = {}, is_whole = #found < most }
      for at, name in ipairs(found) do
        of_users[at] = string.sub(name, 3)
      end
      know_users(of_users)
      for at, name in ipairs(found) do
        local flow = user_of(of_users[at]).flows[lane]
        if is_there(flow) then
          ring.turns[#ring.turns + 1] = { flow, flow.turn }
        else
          -- Who is not what the ring says must have been changed past the queue, and would be read for ever.
          drop(turns(jobs, lane), name)
        end
      end
      seen_rings[lane] = ring
    end
    local next_turn = ring.turns[ring.at]
    if not next_turn then
      if ring.is_whole then
        return nil
      end
    else
      local flow, turn = unpack(next_turn)
      if is_there(flow) and flow.turn == turn then
        return flow
      end
      ring.at = ring.at + 1
    end
  end
end

-- The flow to be served, and the name of the aged flow whose premium turn that takes, if it is one. The lane of an aged flow
-- gives the turn to whoever is next in the lane: else all of one user's jobs, once aged, would come before another's first.
local function next_flow()
  local premium = head('0')
  if someone_aged ~= false then
    settle(aged(jobs))
    local payer, turn = unpack(call('ZRANGE', aged(jobs), 0, 0, 'WITHSCORES'))
    someone_aged = payer ~= nil
    if someone_aged and not (premium and premium.turn < tonumber(turn)) then
      return head(string.sub(payer, 1, 1)), payer
    end
  end
  return premium or head('1') or head('2')
end

-- Takes the entry whose turn it is off its flow; nil when nobody is left to be served.
local function take()
  local flow, payer = next_flow()
  if not flow then
    return nil
  end
  flow.seen = {}
  local entry = first(flow, jobs)
  leave(flow, entry.entry, entry.set)
  local taken = { id = entry.id, turn = flow.turn, user = flow.user, limit = entry.limit }
  flow.turn, flow.turned = ticket(), true
  if payer then
    put(aged(jobs), payer, payer == flow.name and flow.turn or ticket())
  end
  if entry.limit > 0 then
    run(flow.user, 1, flow)
  else
    arrange(flow)
  end
  local ring = seen_rings[flow.lane]
  if ring.is_whole and is_there(flow) then
    ring.turns[#ring.turns + 1] = { flow, flow.turn }
  end
  return taken
end

-- All are taken before it is asked, at once, what they are. Those that somebody deleted past the queue are passed over.
local claimed = {}
while #claimed < most do
  local taken, ids = {}, {}
  while #claimed + #taken < most do
    local entry = take()
    if not entry then
      break
    end
    taken[#taken + 1], ids[#ids + 1] = entry, entry.id
  end
  if not taken[1] then
    break
  end
  know_jobs(ids)
  for _, claim in ipairs(taken) do
    local entry = job_of(claim.id)
    if entry then
      entry.attempts, entry.turn = entry.attempts + 1, claim.turn
      keep(claim.id, entry)
      put(leases, claim.id, now() + lease)
      claimed[#claimed + 1] = { claim.id, entry.attempts, entry.payload }
    elseif claim.limit > 0 then
      run(claim.user, -1)
    end
  end
end
finish()
return claimed
