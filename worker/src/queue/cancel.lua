-- ARGV: clock, id. Forgets an entry that waits or rests; 0 when it is unknown or a worker holds it.
local id = ARGV[2]
local lane, user, short = unpack(call('HMGET', job(id), 'lane', 'user', 'short'))
if not lane then
  return 0
end
if call('ZREM', due, id) == 0 then
  local flow = flow_of(lane, user)
  if not leave(flow, id, short == '1') then
    return 0
  end
  arrange(flow)
end
call('DEL', job(id))
tidy()
return 1
