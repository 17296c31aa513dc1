-- Opens every script. KEYS[1] is the namespace in braces, so that all keys of a queue share one cluster slot; ARGV[1] moves
-- the clock by so many milliseconds (zero outside tests). Scripts run alone: what they do together is atomic.
--
--   :job:<id>               hash: payload, user, lane, short, limit, since, turn, attempts, worker
--   :long:<flow>            sorted set of the entries of a flow that wait, "<id>:<limit>", by the microsecond they were enqueued
--   :short:<flow>           the same of its short entries
--   :flows                  hash of the flows with entries that wait: turn, place, limit of the first entry, and the last two
--                           again among the flows with short entries
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
--
-- A call costs a microsecond, and a claim is all that a busy Redis does: what is known is not asked for again, and what is
-- counted is written at the end, by finish().
local ns = KEYS[1]
local call = redis.call
local flows, counts, held = ns .. ':flows', ns .. ':counts', ns .. ':held'
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

local function add(hash, field, by)
  local sum = call('HINCRBY', hash, field, by)
  if sum == 0 then
    call('HDEL', hash, field)
  end
  return sum
end

-- Ends every script that changes what waits.
local function finish()
  if last then
    call('SET', ns .. ':ticket', last)
  end
  for field, by in pairs(counted) do
    if by ~= 0 then
      add(counts, field, by)
    end
  end
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

-- A flow, as its record says it stood.
local function flow_from(lane, user, record)
  local name = lane .. ':' .. user
  local flow = { name = name, lane = lane, user = user, long = ns .. ':long:' .. name, short = ns .. ':short:' .. name }
  if record then
    local turn, place, limit, short_place, short_limit = string.match(record, '^(%d+) (%a+) (%d+) (%S+) (%d+)$')
    flow.turn, flow.place, flow.limit = tonumber(turn), place, tonumber(limit)
    if short_place ~= '-' then
      flow.short_place, flow.short_limit = short_place, tonumber(short_limit)
    end
  end
  return flow
end

local function flow_of(lane, user)
  return flow_from(lane, user, call('HGET', flows, lane .. ':' .. user))
end

-- The flows of a user, by lane.
local function flows_of(user)
  local records = call('HMGET', flows, '0:' .. user, '1:' .. user, '2:' .. user)
  local family = {}
  for at, lane in ipairs(lanes) do
    family[lane] = flow_from(lane, user, records[at])
  end
  return family
end

-- The first two entries of a set, each with the time it was enqueued.
local function peek(flow, set)
  local seen = set .. '_seen'
  if not flow[seen] then
    flow[seen] = call('ZRANGE', flow[set], 0, 1, 'WITHSCORES')
  end
  return flow[seen]
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

-- What users run, as far as somebody asked.
local running = {}
local function runs(user)
  running[user] = running[user] or tonumber(call('HGET', held, user)) or 0
  return running[user]
end

-- Where a flow with this first entry belongs, and the limit of the entry.
local function place_of(flow, entry, since)
  local limit = limit_of(entry)
  if limit > 0 and runs(flow.user) >= limit then
    return 'parked', limit
  end
  return now() - since >= ages[flow.lane] and 'aged' or 'ring', limit
end

local someone_aged
local function move(flow, jobs, from, to, since, is_new)
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
    if from ~= to or flow.turned then
      call('ZADD', turns(jobs, flow.lane, to), flow.turn, flow.name)
    end
    if from ~= to or is_new then
      call('ZADD', heads(jobs, flow.lane, to), since, flow.name)
    end
    if to == 'aged' and from ~= to then
      call('ZADD', aged(jobs), flow.turn, flow.name)
      someone_aged = true
    end
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
    local size = call('ZCARD', flow.long) + call('ZCARD', flow.short)
    count('parked:' .. flow.lane, place == 'parked' and size or -size)
  end
  flow.place, flow.limit, flow.short_place, flow.short_limit = place, limit, short_place, short_limit
  flow.turned, flow.short_changed = false, false
  if place then
    local record = string.format('%.0f %s %d %s %d', flow.turn, place, limit, short_place or '-', short_limit or 0)
    call('HSET', flows, flow.name, record)
  else
    call('HDEL', flows, flow.name)
  end
end

-- Whether a flow with this place and limit belongs elsewhere when its user runs so many.
local function is_misplaced(place, limit, so_many)
  return place ~= nil and (place == 'parked') ~= (limit > 0 and so_many >= limit)
end

-- Counts what a user runs, which stops their flows or lets them go; `changed` is one of them that is arranged in any case.
local function run(user, by, family, changed)
  running[user] = add(held, user, by)
  for _, flow in pairs(family) do
    if
      flow == changed
      or is_misplaced(flow.place, flow.limit, running[user])
      or is_misplaced(flow.short_place, flow.short_limit, running[user])
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
  flow[set .. '_seen'] = nil
  if set == 'short' then
    flow.short_changed = true
  end
end

-- Lets an entry wait in its flow, whose turn comes no later than the entry's.
local function join(flow, id, limit, set, since, turn)
  call('ZADD', flow[set], since, id .. ':' .. limit)
  set_changed(flow, set)
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
  if call('ZREM', flow[set], entry) == 0 then
    return false
  end
  local seen = flow[set .. '_seen']
  set_changed(flow, set)
  if seen and seen[1] == entry then
    -- Two were seen, or there was no other.
    flow[set .. '_seen'] = { seen[3], seen[4] }
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
    run(user, -1, flows_of(user))
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
