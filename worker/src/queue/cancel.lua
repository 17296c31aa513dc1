-- ARGV: clock, id. Forgets an entry that waits or rests; 0 when it is unknown or a worker holds it.
local id = ARGV[2]
local lane, user, short, limit = unpack(call('HMGET', job(id), 'lane', 'user', 'short', 'limit'))
if not lane then
  return 0
end
if call('ZREM', due, id) == 0 then
  local flow = flow_of(lane, user)
  if not leave(flow, id .. ':' .. limit, short == '1' and 'short' or 'long') then
    return 0
  end
  arrange(flow)
end
call('DEL', job(id))
finish()
tidy(user)
return 1
