-- Opens every script. KEYS[1] is the namespace in braces, so that all keys of a queue share one cluster slot; ARGV[1] moves
-- the clock by so many milliseconds (zero outside tests). Scripts run alone: what they do together is atomic.
--
--   :job:<id>               hash: payload, user, lane, short, limit, since, turn, attempts, worker
--   :long:<flow>            sorted set of the entries of a flow that wait, by the microsecond they were enqueued
--   :short:<flow>           the same of its short entries
--   :flows                  hash of the flows with entries that wait: turn, place, place among the flows with short entries
--   :ring:<jobs>:<lane>     sorted set of the flows that can be served, by turn
--   :parked:<jobs>:<lane>   sorted set of those whose user runs as much as may run, by turn
--   :aged:<jobs>            sorted set of the flows in the rings of lanes 1 and 2 whose first entry has aged, by premium turn
--   :heads:<jobs>:<lane>:<place>   sorted set of all of them, by when their first entry was enqueued
--   :counts                 hash: entries that wait, in each lane, and those of them that are parked
--   :held                   hash: limited entries in the hands of workers, by user
--   :due                    sorted set of the entries resting, by the microsecond at which they wait again
--   :leases                 sorted set of the entries held by workers, by the microsecond at which the lease ends
--   :ticket                 the last ticket
--   :wake                   channel that tells workers of something to claim
--
-- A flow is what one user has waiting in one lane, "<lane>:<user>". Its place is "ring", "aged" (in the ring too) or "parked".
-- <jobs> is "all", or "short" for the order in which short entries alone are served. An entry either waits, or is in one of the
-- two other sorted sets. The clock is the server's: no worker's own clock decides anything.
local ns = KEYS[1]
local call = redis.call
local flows, counts, held = ns .. ':flows', ns .. ':counts', ns .. ':held'
local due, leases, wake = ns .. ':due', ns .. ':leases', ns .. ':wake'
local time = call('TIME')
local now = time[1] * 1000000 + time[2] + ARGV[1] * 1000
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

-- A number that is greater than any before it: the microsecond, or the last ticket and one. Order and turns are tickets.
local function ticket()
  local next = math.max(now, (tonumber(call('GET', ns .. ':ticket')) or 0) + 1)
  call('SET', ns .. ':ticket', next)
  return next
end

-- Nothing is left of a queue that is empty.
local function tidy()
  if call('EXISTS', counts, due, leases) == 0 then
    call('DEL', ns .. ':ticket')
  end
end

local told = false
local function wake_workers()
  if not told then
    told = true
    call('PUBLISH', wake, '')
  end
end

local function count(hash, field, by)
  if call('HINCRBY', hash, field, by) == 0 then
    call('HDEL', hash, field)
  end
end

local function flow_of(lane, user)
  local name = lane .. ':' .. user
  local flow = { name = name, lane = lane, user = user, long = ns .. ':long:' .. name, short = ns .. ':short:' .. name }
  local known = call('HGET', flows, name)
  if known then
    local turn, place, short_place = string.match(known, '^(%d+) (%S+) (%S+)$')
    flow.turn, flow.place = tonumber(turn), place
    flow.short_place = short_place ~= '-' and short_place or nil
  end
  return flow
end

-- The first entry of a flow, of its short ones, or of all: its id and when it was enqueued.
local function first(flow, jobs)
  local short = call('ZRANGE', flow.short, 0, 0, 'WITHSCORES')
  if jobs == 'short' then
    return short[1], tonumber(short[2])
  end
  local long = call('ZRANGE', flow.long, 0, 0, 'WITHSCORES')
  local since, other = tonumber(long[2]), tonumber(short[2])
  if since and not (other and other < since) then
    return long[1], since
  end
  return short[1], other
end

-- Where a flow with this first entry belongs.
local function place_of(flow, id, since)
  local limit = tonumber(call('HGET', job(id), 'limit')) or 0
  if limit > 0 and (tonumber(call('HGET', held, flow.user)) or 0) >= limit then
    return 'parked'
  end
  return now - since >= ages[flow.lane] and 'aged' or 'ring'
end

local function move(flow, jobs, from, to, since)
  if from and from ~= to then
    call('ZREM', heads(jobs, flow.lane, from), flow.name)
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
  if to then
    call('ZADD', turns(jobs, flow.lane, to), flow.turn, flow.name)
    call('ZADD', heads(jobs, flow.lane, to), since, flow.name)
    if to == 'aged' then
      -- One that has aged before keeps its turn there.
      call('ZADD', aged(jobs), 'NX', flow.turn, flow.name)
    end
  end
end

-- Puts a flow where its entries say that it belongs. Follows every change to its entries, its turn or what its user runs.
local function arrange(flow)
  local id, since = first(flow, 'all')
  local short_id, short_since = first(flow, 'short')
  local place = id and place_of(flow, id, since)
  local short_place = short_id and place_of(flow, short_id, short_since)
  move(flow, 'all', flow.place, place, since)
  move(flow, 'short', flow.short_place, short_place, short_since)
  if (flow.place == 'parked') ~= (place == 'parked') then
    local size = call('ZCARD', flow.long) + call('ZCARD', flow.short)
    if size > 0 then
      count(counts, 'parked:' .. flow.lane, place == 'parked' and size or -size)
    end
  end
  flow.place, flow.short_place = place, short_place
  if place then
    call('HSET', flows, flow.name, string.format('%.0f %s %s', flow.turn, place, short_place or '-'))
  else
    call('HDEL', flows, flow.name)
  end
end

local function count_waiting(flow, by)
  count(counts, 'waiting:' .. flow.lane, by)
  if flow.place == 'parked' then
    count(counts, 'parked:' .. flow.lane, by)
  end
end

-- Lets an entry wait in its flow, whose turn comes no later than the entry's.
local function join(flow, id, short, since, turn)
  call('ZADD', short and flow.short or flow.long, since, id)
  if not flow.turn or turn < flow.turn then
    flow.turn = turn
  end
  for _, jobs in ipairs({ 'all', 'short' }) do
    call('ZADD', aged(jobs), 'XX', 'LT', turn, flow.name)
  end
  count_waiting(flow, 1)
end

-- Takes an entry out of its flow; false when it does not wait there.
local function leave(flow, id, short)
  if call('ZREM', short and flow.short or flow.long, id) == 0 then
    return false
  end
  count_waiting(flow, -1)
  return true
end

-- Counts what a user runs, which stops their flows or lets them go; `changed` is one of them that has changed anyway.
local function run(user, by, changed)
  count(held, user, by)
  for _, lane in ipairs(lanes) do
    local flow = changed and changed.lane == lane and changed or flow_of(lane, user)
    if flow.turn then
      arrange(flow)
    end
  end
end

-- Takes an entry out of the hands of its worker; false when nobody holds it.
local function let_go(id, user, limit)
  if call('ZREM', leases, id) == 0 then
    return false
  end
  if user and limit ~= '0' then
    run(user, -1)
  end
  return true
end

-- Puts an entry that left the other sets back to its old place, and its flow to the turn at which it was claimed.
local function wait_again(id)
  local lane, user, short, since, turn = unpack(call('HMGET', job(id), 'lane', 'user', 'short', 'since', 'turn'))
  if lane then
    local flow = flow_of(lane, user)
    join(flow, id, short == '1', since, tonumber(turn))
    arrange(flow)
    wake_workers()
  end
end
