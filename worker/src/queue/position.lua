-- ARGV: clock, id. The place of an entry, from 1, in the order in which its lane is served; nil unless it waits.
local id = ARGV[2]
local lane, user, short, limit, since = unpack(call('HMGET', job(id), 'lane', 'user', 'short', 'limit', 'since'))
if not lane then
  return nil
end
local flow = flow_of(lane, user)
local own, other = set_key(flow, 'long'), set_key(flow, 'short')
if short == '1' then
  own, other = other, own
end
local depth = call('ZRANK', own, id .. ':' .. limit)
if not depth then
  return nil
end
depth = depth + call('ZCOUNT', other, '-inf', '(' .. since)

-- A flow that is parked comes after all of its lane that can run.
local place = depth + 1
if flow.place == 'parked' then
  local waiting, parked = unpack(call('HMGET', counts, 'waiting:' .. lane, 'parked:' .. lane))
  place = place + waiting - parked
end

-- Behind so many of its own flow, it is served after as many of every other, and one more of those whose turn is sooner, as
-- far as they have them.
local key = turns('all', lane, flow.place)
local rank = call('ZRANK', key, flow.name)
if depth == 0 then
  return place + rank
end
for at, name in ipairs(call('ZRANGE', key, 0, -1)) do
  if name ~= flow.name then
    local size = call('ZCARD', ns .. ':long:' .. name) + call('ZCARD', ns .. ':short:' .. name)
    place = place + math.min(size, at <= rank and depth + 1 or depth)
  end
end
return place
