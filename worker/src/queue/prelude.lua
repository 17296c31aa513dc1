-- Opens every script. KEYS[1] is the namespace in braces, so that all keys of a queue share one cluster slot; ARGV[1] moves
-- the clock by so many milliseconds (zero outside tests). Scripts run alone: what they do together is atomic.
--
--   :job:<id>               hash: payload, user, lane, short, limit, since; and of the last claim turn, attempts, worker
--   :long:<flow>            sorted set of the entries of a flow that wait, "<id>:<limit>", by the microsecond they were enqueued
--   :short:<flow>           the same of its short entries
--   :users                  hash by user, packed: how many limited entries of theirs workers hold, and their flows with entries
--                           that wait, each with turn, place and limit of the first entry, again those among short entries,
--                           and whether it has long ones
--   :ring:<jobs>:<lane>     sorted set of the flows that can be served, by turn
--   :parked:<jobs>:<lane>   sorted set of those whose user runs as much as may run, by turn
--   :aged:<jobs>            sorted set of the flows in the rings of lanes 1 and 2 whose first entry has aged, by premium turn
--   :heads:<jobs>:<lane>:<place>   sorted set of all of them, by when their first entry was enqueued; of those with short
--                           entries, only where they can age
--   :counts                 hash: entries that wait, in each lane, and those of them that are parked
--   :due                    sorted set of the entries resting, by the microsecond at which they wait again
--   :leases                 sorted set of the entries held by workers, by the microsecond at which the lease ends
--   :ticket                 the last ticket
--   :wake                   channel that tells workers of something to claim
--
-- A flow is what one user has waiting in one lane, "<lane>:<user>". Its place is "ring", "aged" (in the ring too) or "parked".
-- <jobs> is "all", or "short" for the order in which short entries alone are served. An entry either waits, or is in one of the
-- two other sorted sets. The clock is the server's: no worker's own clock decides anything.
--
-- A call costs a microsecond, and a claim is all that a busy Redis does: what is known is not asked for again, and what is
-- counted is written at the end, by finish().
local ns = KEYS[1]
local call = redis.call
local users_key, counts = ns .. ':users', ns .. ':counts'
local due, leases, wake = ns .. ':due', ns .. ':leases', ns .. ':wake'
local lanes = { '0', '1', '2' }

local function job(id)
  return ns .. ':job:' .. id
end

local function turns(jobs, lane, place)
  return ns .. (place == 'parked' and ':parked:' or ':ring:') .. jobs .. ':' .. lane
end

local function aged(jobs)
  return ns .. ':aged:' .. jobs
end

local function heads(jobs, lane, place)
  return ns .. ':heads:' .. jobs .. ':' .. lane .. ':' .. place
end

local time
local function now()
  if not time then
    local clock = call('TIME')
    time = clock[1] * 1000000 + clock[2] + ARGV[1] * 1000
  end
  return time
end

-- A number that is greater than any before it: the microsecond, or the last ticket and one. Order and turns are tickets.
local last
local function ticket()
  last = math.max(now(), (last or tonumber(call('GET', ns .. ':ticket')) or 0) + 1)
  return last
end

local counted = {}
local function count(field, by)
  counted[field] = (counted[field] or 0) + by
end

-- What is known of users, and which of them has changed.
local users, changed = {}, {}

-- Ends every script that changes what waits.
local function finish()
  if last then
    call('SET', ns .. ':ticket', last)
  end
  for field, by in pairs(counted) do
    if by ~= 0 and call('HINCRBY', counts, field, by) == 0 then
      call('HDEL', counts, field)
    end
  end
  for id, user in pairs(changed) do
    local packed = {}
    for _, flow in pairs(user.flows) do
      packed[#packed + 1] = { flow.lane, flow.turn, flow.place, flow.limit, flow.short_place or false,
        flow.short_limit or 0, flow.has_long }
    end
    if user.held > 0 or packed[1] then
      call('HSET', users_key, id, cmsgpack.pack({ user.held, packed }))
    else
      call('HDEL', users_key, id)
    end
  end
end

local told = false
local function wake_workers()
  if not told then
    told = true
    call('PUBLISH', wake, '')
  end
end

local function user_of(id)
  local user = users[id]
  if not user then
    user = { id = id, held = 0, flows = {} }
    users[id] = user
    local packed = call('HGET', users_key, id)
    if packed then
      local known = cmsgpack.unpack(packed)
      user.held = known[1]
      for _, flow in ipairs(known[2]) do
        local lane = flow[1]
        user.flows[lane] = { user = user, lane = lane, name = lane .. ':' .. id, turn = flow[2], place = flow[3],
          limit = flow[4], short_place = flow[5] or nil, short_limit = flow[6], has_long = flow[7], has_short = flow[5] }
      end
    end
  end
  return user
end

-- A flow of a user; empty, and to be joined, when nothing of it waits.
local function flow_of(lane, id)
  local user = user_of(id)
  return user.flows[lane] or { user = user, lane = lane, name = lane .. ':' .. id }
end

-- Nothing is left of a queue that is empty, which it is not while this user has something waiting.
local function tidy(user)
  if not next(user_of(user).flows) and call('EXISTS', counts, due, leases) == 0 then
    call('DEL', ns .. ':ticket')
  end
end

local function set_key(flow, set)
  return ns .. ':' .. set .. ':' .. flow.name
end

-- The first two entries of a set, each with the time it was enqueued.
local function peek(flow, set)
  local seen = flow['seen_' .. set]
  if not seen then
    seen = flow['has_' .. set] and call('ZRANGE', set_key(flow, set), 0, 1, 'WITHSCORES') or {}
    flow['seen_' .. set] = seen
  end
  return seen
end

-- The first entry of a flow, of its short ones, or of all: the entry, when it was enqueued, and its set.
local function first(flow, jobs)
  local short = peek(flow, 'short')
  if jobs == 'short' then
    return short[1], tonumber(short[2]), 'short'
  end
  local long = peek(flow, 'long')
  if long[1] and not (short[1] and tonumber(short[2]) < tonumber(long[2])) then
    return long[1], tonumber(long[2]), 'long'
  end
  return short[1], tonumber(short[2]), 'short'
end

local function limit_of(entry)
  return tonumber(string.match(entry, ':(%d+)$'))
end

-- Where a flow with this first entry belongs, and the limit of the entry.
local function place_of(flow, entry, since)
  local limit = limit_of(entry)
  if limit > 0 and flow.user.held >= limit then
    return 'parked', limit
  end
  return now() - since >= ages[flow.lane] and 'aged' or 'ring', limit
end

local function has_head(jobs, lane, place)
  return place ~= nil and (jobs == 'all' or (place == 'ring' and lane ~= '0'))
end

local someone_aged
local function move(flow, jobs, from, to, since, is_new)
  if from and from ~= to then
    if has_head(jobs, flow.lane, from) then
      call('ZREM', heads(jobs, flow.lane, from), flow.name)
    end
    if from == 'aged' then
      call('ZREM', aged(jobs), flow.name)
    end
    if not to or from == 'parked' or to == 'parked' then
      call('ZREM', turns(jobs, flow.lane, from), flow.name)
    end
    if to and from == 'parked' then
      wake_workers()
    end
  end
  if has_head(jobs, flow.lane, to) and (from ~= to or is_new) then
    call('ZADD', heads(jobs, flow.lane, to), since, flow.name)
  end
  if to and (from ~= to or flow.turned) then
    call('ZADD', turns(jobs, flow.lane, to), flow.turn, flow.name)
  end
  if to == 'aged' and from ~= to then
    call('ZADD', aged(jobs), flow.turn, flow.name)
    someone_aged = true
  end
end

-- Puts a flow where its entries say that it belongs. Follows every change to its entries, its turn or what its user runs.
local function arrange(flow)
  local entry, since = first(flow, 'all')
  local short_entry, short_since = first(flow, 'short')
  local place, limit, short_place, short_limit
  if entry then
    place, limit = place_of(flow, entry, since)
  end
  if short_entry then
    short_place, short_limit = place_of(flow, short_entry, short_since)
  end
  move(flow, 'all', flow.place, place, since, true)
  move(flow, 'short', flow.short_place, short_place, short_since, flow.short_changed)
  if (flow.place == 'parked') ~= (place == 'parked') then
    local size = call('ZCARD', set_key(flow, 'long')) + call('ZCARD', set_key(flow, 'short'))
    count('parked:' .. flow.lane, place == 'parked' and size or -size)
  end
  flow.place, flow.limit, flow.short_place, flow.short_limit = place, limit, short_place, short_limit
  flow.turned, flow.short_changed = false, false
  flow.has_long, flow.has_short = peek(flow, 'long')[1] ~= nil, short_place ~= nil
  flow.user.flows[flow.lane] = place and flow or nil
  changed[flow.user.id] = flow.user
end

-- Whether a flow with this place and limit belongs elsewhere when its user runs so many.
local function is_misplaced(place, limit, so_many)
  return place ~= nil and (place == 'parked') ~= (limit > 0 and so_many >= limit)
end

-- Counts what a user runs, which stops their flows or lets them go; `served` is one of them that is arranged in any case.
local function run(user, by, served)
  user.held = user.held + by
  changed[user.id] = user
  for _, lane in ipairs(lanes) do
    local flow = user.flows[lane]
    if
      flow
      and (
        flow == served
        or is_misplaced(flow.place, flow.limit, user.held)
        or is_misplaced(flow.short_place, flow.short_limit, user.held)
      )
    then
      arrange(flow)
    end
  end
end

local function count_waiting(flow, by)
  count('waiting:' .. flow.lane, by)
  if flow.place == 'parked' then
    count('parked:' .. flow.lane, by)
  end
end

local function set_changed(flow, set)
  flow['seen_' .. set] = nil
  if set == 'short' then
    flow.short_changed = true
  end
end

-- Lets an entry wait in its flow, whose turn comes no later than the entry's.
local function join(flow, id, limit, set, since, turn)
  call('ZADD', set_key(flow, set), since, id .. ':' .. limit)
  set_changed(flow, set)
  if not flow['has_' .. set] then
    flow['has_' .. set] = true
    changed[flow.user.id] = flow.user
  end
  if not flow.turn or turn < flow.turn then
    flow.turn, flow.turned = turn, true
  end
  if flow.place == 'aged' then
    call('ZADD', aged('all'), 'XX', 'LT', turn, flow.name)
  end
  if flow.short_place == 'aged' then
    call('ZADD', aged('short'), 'XX', 'LT', turn, flow.name)
  end
  count_waiting(flow, 1)
end

-- Takes an entry out of its flow; false when it does not wait there.
local function leave(flow, entry, set)
  if call('ZREM', set_key(flow, set), entry) == 0 then
    return false
  end
  local seen = flow['seen_' .. set]
  set_changed(flow, set)
  if seen and seen[1] == entry then
    -- Two were seen, or there was no other.
    flow['seen_' .. set] = { seen[3], seen[4] }
  end
  count_waiting(flow, -1)
  return true
end

-- Takes an entry out of the hands of its worker; false when nobody holds it.
local function let_go(id, user, limit)
  if call('ZREM', leases, id) == 0 then
    return false
  end
  if user and limit ~= '0' then
    run(user_of(user), -1)
  end
  return true
end

-- Puts an entry that left the other sets back to its old place, and its flow to the turn at which it was claimed.
local function wait_again(id)
  local lane, user, limit, short, since, turn =
    unpack(call('HMGET', job(id), 'lane', 'user', 'limit', 'short', 'since', 'turn'))
  if lane then
    local flow = flow_of(lane, user)
    join(flow, id, limit, short == '1' and 'short' or 'long', since, tonumber(turn))
    arrange(flow)
    wake_workers()
  end
end
