-- ARGV: clock, id. The place of an entry, from 1, in the order in which its lane is served; nil unless it waits.
local id = ARGV[2]
local entry = job_of(id)
if not entry then
  return nil
end
local lane = entry.lane
local flow = flow_of(lane, entry.user)
local own, other = set_key(flow, 'long'), set_key(flow, 'short')
if entry.short == '1' then
  own, other = other, own
end
local depth = call('ZRANK', own, entry_of(id, entry.limit, entry.since))
if not depth then
  return nil
end
depth = depth + call('ZCOUNT', other, '-inf', '(' .. whole(entry.since))

-- A flow that is parked comes after all of its lane that can run.
local place = depth + 1
if flow.place == 'parked' then
  local waiting, parked = unpack(call('HMGET', counts, 'waiting:' .. lane, 'parked:' .. lane))
  place = place + waiting - parked
end

-- Behind so many of its own flow, it is served after as many of every other, and one more of those whose turn is sooner, as
-- far as they have them. A script must stay short: where there are more flows than it looks at, the rest are taken to have as
-- much as those.
local MOST_FLOWS = 1000
local key = turns('all', lane, flow.place)
local rank = call('ZRANK', key, flow.name)
if depth == 0 then
  return place + rank
end
local seen, before = 0, 0
for at, name in ipairs(call('ZRANGE', key, 0, MOST_FLOWS)) do
  if name ~= flow.name then
    local size = call('ZCARD', ns .. ':long:' .. name) + call('ZCARD', ns .. ':short:' .. name)
    before = before + math.min(size, at <= rank and depth + 1 or depth)
    seen = seen + 1
  end
end
local others = call('ZCARD', key) - 1
if seen < others then
  before = math.floor(before * others / seen)
end
return place + before
