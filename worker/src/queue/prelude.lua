-- Opens every script. KEYS[1] is the namespace in braces, so that all keys of a queue share one cluster slot; ARGV[1] moves
-- the clock by so many milliseconds (zero outside tests). Scripts run alone: what they do together is atomic.
--
--   :job:<id>               "<attempts> <turn> <since> <lane> <short> <limit> <user> <payload>": how often it was claimed, and the
--                           turn at which it was last, are 0 before its first claim
--   :long:<flow>            sorted set of the entries of a flow that wait, "<since>:<limit>:<id>", by the microsecond they were
--                           enqueued, which is `since`
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
-- A call costs two microseconds, however little it does, and scripts are all that a busy Redis does. So what is known is not
-- asked for again, many are asked for at once, and changes wait in lists until finish() writes each list by one call, or
-- settle() does, before something reads what the list is about.
local ns = KEYS[1]
local call = redis.call
local users_key, counts = ns .. ':users', ns .. ':counts'
local due, leases, wake = ns .. ':due', ns .. ':leases', ns .. ':wake'
local lanes = { '0', '1', '2' }

local function job(id)
  return ns .. ':job:' .. id
end

-- Names that are made once.
local rings = { ring = { all = {}, short = {} }, parked = { all = {}, short = {} } }
local function turns(jobs, lane, place)
  local of_place = place == 'parked' and 'parked' or 'ring'
  local made = rings[of_place][jobs]
  if not made[lane] then
    made[lane] = ns .. ':' .. of_place .. ':' .. jobs .. ':' .. lane
  end
  return made[lane]
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

-- A whole number as Redis reads it: numbers of its own it writes as floating point, which is slow.
local function whole(number)
  return string.format('%d', number)
end

-- Calls a command with many arguments, a thousand at a time: the stack of a script bears no more. Pairs are never parted.
local function call_many(arguments, command, ...)
  for from = 1, #arguments, 1000 do
    local head = { command, ... }
    for at = from, math.min(from + 999, #arguments) do
      head[#head + 1] = arguments[at]
    end
    call(unpack(head))
  end
end

-- Changes to sorted sets that are not written yet: by key and member the score, or false where it is to go.
local unsettled = {}
local function change(key, member, score)
  local members = unsettled[key]
  if not members then
    members = {}
    unsettled[key] = members
  end
  members[member] = score
end

local function put(key, member, score)
  change(key, member, whole(score))
end

local function drop(key, member)
  change(key, member, false)
end

local function settle(key)
  local members = unsettled[key]
  if members then
    unsettled[key] = nil
    local added, gone = {}, {}
    for member, score in pairs(members) do
      if score then
        added[#added + 1] = score
        added[#added + 1] = member
      else
        gone[#gone + 1] = member
      end
    end
    call_many(added, 'ZADD', key)
    call_many(gone, 'ZREM', key)
  end
end

-- Scores are not asked for: Redis writes them as floating point, which takes longer than all else.
local function read(key, from, to)
  settle(key)
  return call('ZRANGE', key, from, to)
end

local function read_until(key, score, most)
  settle(key)
  return call('ZRANGEBYSCORE', key, '-inf', whole(score), 'LIMIT', 0, most)
end

local function size_of(key)
  settle(key)
  return call('ZCARD', key)
end

-- What the queue knows of entries: false of those it does not know. Changes are written by finish().
local jobs_known, jobs_changed = {}, {}
local function know_jobs(ids)
  local keys, asked = {}, {}
  for _, id in ipairs(ids) do
    if jobs_known[id] == nil then
      jobs_known[id] = false
      asked[#asked + 1] = id
      keys[#keys + 1] = job(id)
    end
  end
  for from = 1, #keys, 1000 do
    local to = math.min(from + 999, #keys)
    for at, entry in ipairs(call('MGET', unpack(keys, from, to))) do
      if entry then
        local attempts, turn, since, lane, short, limit, user, payload =
          string.match(entry, '^(%d+) (%d+) (%d+) (%d) (%d) (%d+) (%S+) (.*)$')
        jobs_known[asked[from + at - 1]] = { attempts = tonumber(attempts), turn = tonumber(turn), since = tonumber(since),
          lane = lane, short = short, limit = limit, user = user, payload = payload }
      end
    end
  end
end

local function job_of(id)
  know_jobs({ id })
  return jobs_known[id]
end

local function keep(id, entry)
  jobs_known[id], jobs_changed[id] = entry, entry
end

local function forget(id)
  jobs_known[id], jobs_changed[id] = false, false
end

local counted = {}
local function count(field, by)
  counted[field] = (counted[field] or 0) + by
end

-- What is known of users, and which of them has changed.
local users, changed = {}, {}

-- Ends every script that changes something.
local function finish()
  for key in pairs(unsettled) do
    settle(key)
  end
  if last then
    call('SET', ns .. ':ticket', whole(last))
  end
  for field, by in pairs(counted) do
    if by ~= 0 and call('HINCRBY', counts, field, by) == 0 then
      call('HDEL', counts, field)
    end
  end
  local kept, gone = {}, {}
  for id, entry in pairs(jobs_changed) do
    if entry then
      kept[#kept + 1] = job(id)
      kept[#kept + 1] = string.format('%d %d %d %s %s %s %s %s', entry.attempts, entry.turn, entry.since, entry.lane, entry.short,
        entry.limit, entry.user, entry.payload)
    else
      gone[#gone + 1] = job(id)
    end
  end
  call_many(kept, 'MSET')
  call_many(gone, 'DEL')
  kept, gone = {}, {}
  for id, user in pairs(changed) do
    local packed = {}
    for _, flow in pairs(user.flows) do
      packed[#packed + 1] = { flow.lane, flow.turn, flow.place, flow.limit, flow.short_place or false,
        flow.short_limit or 0, flow.has.long }
    end
    if user.held > 0 or packed[1] then
      kept[#kept + 1] = id
      kept[#kept + 1] = cmsgpack.pack({ user.held, packed })
    else
      gone[#gone + 1] = id
    end
  end
  call_many(kept, 'HSET', users_key)
  call_many(gone, 'HDEL', users_key)
end

local told = false
local function wake_workers()
  if not told then
    told = true
    call('PUBLISH', wake, '')
  end
end

local function know_users(ids)
  local asked = {}
  for _, id in ipairs(ids) do
    if not users[id] then
      users[id] = { id = id, held = 0, flows = {} }
      asked[#asked + 1] = id
    end
  end
  for from = 1, #asked, 1000 do
    local to = math.min(from + 999, #asked)
    for at, packed in ipairs(call('HMGET', users_key, unpack(asked, from, to))) do
      if packed then
        local known, user = cmsgpack.unpack(packed), users[asked[from + at - 1]]
        user.held = known[1]
        for _, flow in ipairs(known[2]) do
          local lane = flow[1]
          user.flows[lane] = { user = user, lane = lane, name = lane .. ':' .. user.id, turn = flow[2], place = flow[3],
            limit = flow[4], short_place = flow[5] or nil, short_limit = flow[6], has = { long = flow[7], short = flow[5] }, seen = {},
            keys = {} }
        end
      end
    end
  end
end

local function user_of(id)
  if not users[id] then
    know_users({ id })
  end
  return users[id]
end

-- A flow of a user; empty, and to be joined, when nothing of it waits.
local function flow_of(lane, id)
  local user = user_of(id)
  return user.flows[lane] or { user = user, lane = lane, name = lane .. ':' .. id, has = {}, seen = {}, keys = {} }
end

-- Nothing is left of a queue that is empty, which it is not while one of these users has something waiting.
local function tidy(ids)
  for _, id in ipairs(ids) do
    if next(user_of(id).flows) then
      return
    end
  end
  if call('EXISTS', counts, due, leases) == 0 then
    call('DEL', ns .. ':ticket')
  end
end

local function set_key(flow, set)
  local key = flow.keys[set]
  if not key then
    key = ns .. ':' .. set .. ':' .. flow.name
    flow.keys[set] = key
  end
  return key
end

-- The first two entries of a set, {entry, id, limit, since, set}; of an earlier turn, only one may be left that was seen.
local function peek(flow, set)
  local seen = flow.seen[set]
  if not seen then
    seen = {}
    local found = flow.has[set] and read(set_key(flow, set), 0, 1) or seen
    for at, entry in ipairs(found) do
      local since, limit, id = string.match(entry, '^(%d+):(%d+):(.*)$')
      seen[at] = { entry = entry, id = id, limit = tonumber(limit), since = tonumber(since), set = set }
    end
    flow.seen[set] = seen
  end
  return seen
end

-- The first entry of a flow, of its short ones, or of all.
local function first(flow, jobs)
  local short = peek(flow, 'short')[1]
  local long = jobs == 'all' and peek(flow, 'long')[1]
  if long and not (short and short.since < long.since) then
    return long
  end
  return short
end

-- Where a flow with this first entry belongs.
local function place_of(flow, entry)
  if entry.limit > 0 and flow.user.held >= entry.limit then
    return 'parked'
  end
  return now() - entry.since >= ages[flow.lane] and 'aged' or 'ring'
end

local function has_head(jobs, lane, place)
  return place ~= nil and (jobs == 'all' or (place == 'ring' and lane ~= '0'))
end

local someone_aged
local function move(flow, jobs, from, to, since, is_new)
  if from and from ~= to then
    if has_head(jobs, flow.lane, from) then
      drop(heads(jobs, flow.lane, from), flow.name)
    end
    if from == 'aged' then
      drop(aged(jobs), flow.name)
    end
    if not to or from == 'parked' or to == 'parked' then
      drop(turns(jobs, flow.lane, from), flow.name)
    end
    if to and from == 'parked' then
      wake_workers()
    end
  end
  if has_head(jobs, flow.lane, to) and (from ~= to or is_new) then
    put(heads(jobs, flow.lane, to), flow.name, since)
  end
  if to and (from ~= to or flow.turned) then
    put(turns(jobs, flow.lane, to), flow.name, flow.turn)
  end
  if to == 'aged' and from ~= to then
    put(aged(jobs), flow.name, flow.turn)
    someone_aged = true
  end
end

-- Puts a flow where its entries say that it belongs. Follows every change to its entries, its turn or what its user runs.
local function arrange(flow)
  local entry, short = first(flow, 'all'), first(flow, 'short')
  local place = entry and place_of(flow, entry)
  local short_place = short and (short == entry and place or place_of(flow, short))
  move(flow, 'all', flow.place, place, entry and entry.since, true)
  move(flow, 'short', flow.short_place, short_place, short and short.since, flow.short_changed)
  if (flow.place == 'parked') ~= (place == 'parked') then
    local size = size_of(set_key(flow, 'long')) + size_of(set_key(flow, 'short'))
    count('parked:' .. flow.lane, place == 'parked' and size or -size)
  end
  flow.place, flow.limit = place, entry and entry.limit
  flow.short_place, flow.short_limit = short_place, short and short.limit
  flow.turned, flow.short_changed = false, false
  flow.has.long, flow.has.short = peek(flow, 'long')[1] ~= nil, short ~= nil
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
  flow.seen[set] = nil
  if set == 'short' then
    flow.short_changed = true
  end
end

local function put_earlier(key, member, score)
  settle(key)
  call('ZADD', key, 'XX', 'LT', whole(score), member)
end

local function entry_of(id, limit, since)
  return whole(since) .. ':' .. limit .. ':' .. id
end

-- Lets an entry wait in its flow, whose turn comes no later than the entry's.
local function join(flow, id, limit, set, since, turn)
  put(set_key(flow, set), entry_of(id, limit, since), since)
  set_changed(flow, set)
  if not flow.has[set] then
    flow.has[set] = true
    changed[flow.user.id] = flow.user
  end
  if not flow.turn or turn < flow.turn then
    flow.turn, flow.turned = turn, true
  end
  if flow.place == 'aged' then
    put_earlier(aged('all'), flow.name, turn)
  end
  if flow.short_place == 'aged' then
    put_earlier(aged('short'), flow.name, turn)
  end
  count_waiting(flow, 1)
end

-- Takes an entry out of its flow; false when it does not wait there.
local function leave(flow, entry, set)
  settle(set_key(flow, set))
  if call('ZREM', set_key(flow, set), entry) == 0 then
    return false
  end
  local seen = flow.seen[set]
  set_changed(flow, set)
  if seen and seen[1] and seen[1].entry == entry then
    -- Two were seen, or there was no other.
    flow.seen[set] = { seen[2] }
  end
  count_waiting(flow, -1)
  return true
end

-- Takes an entry out of the hands of its worker; false when nobody holds it, or the claim is not the last one.
local function let_go(id, attempts)
  local entry = job_of(id)
  if not entry or entry.attempts ~= tonumber(attempts) or call('ZREM', leases, id) == 0 then
    return false
  end
  if entry.limit ~= '0' then
    run(user_of(entry.user), -1)
  end
  return true
end

-- Puts an entry that left the other sets back to its old place, and its flow to the turn at which it was claimed.
local function wait_again(id)
  local entry = job_of(id)
  if entry then
    local flow = flow_of(entry.lane, entry.user)
    join(flow, id, entry.limit, entry.short == '1' and 'short' or 'long', entry.since, entry.turn)
    arrange(flow)
    wake_workers()
  end
end
