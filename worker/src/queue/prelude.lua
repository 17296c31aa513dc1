-- Opens every script. KEYS[1] is the namespace in braces, so that all keys of a queue share one cluster slot; ARGV[1] moves
-- the clock by so many milliseconds (zero outside tests). Scripts run alone: what they do together is atomic.
--
--   :lane:<name>   sorted set of the entries waiting, by the microsecond they were enqueued
--   :due           sorted set of the entries resting, by the microsecond at which they wait again
--   :leases        sorted set of the entries held by workers, by the microsecond at which the lease ends
--   :entry:<id>    hash: payload, user, lane, short, since, attempts, worker
--   :wake          channel that tells workers of something to claim
--
-- An entry is in exactly one of the sorted sets. The clock is the server's: no worker's own clock decides anything.
local ns = KEYS[1]
local lanes = { [0] = ns .. ':lane:premium', ns .. ':lane:standard', ns .. ':lane:background' }
local due, leases, wake = ns .. ':due', ns .. ':leases', ns .. ':wake'
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] + ARGV[1] * 1000

local function entry(id)
  return ns .. ':entry:' .. id
end

-- Puts an entry that left the other sets back to its place in its lane, and wakes a worker.
local function wait_again(id)
  local fields = redis.call('HMGET', entry(id), 'lane', 'since')
  if fields[1] then
    redis.call('HDEL', entry(id), 'worker')
    redis.call('ZADD', lanes[tonumber(fields[1])], fields[2], id)
    redis.call('PUBLISH', wake, '')
  end
end

-- Whether the claim that counted this attempt still holds the entry.
local function holds(id, attempts)
  return redis.call('HGET', entry(id), 'attempts') == attempts and redis.call('ZSCORE', leases, id)
end
