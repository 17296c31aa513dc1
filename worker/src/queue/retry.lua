-- ARGV: clock, id, attempts, delay in ms. Gives a held entry back, to wait again after the delay; 0 when the claim no longer
-- holds it.
local id, delay = ARGV[2], tonumber(ARGV[4])
local attempts, user, limit = unpack(call('HMGET', job(id), 'attempts', 'user', 'limit'))
if attempts ~= ARGV[3] or not let_go(id, user, limit) then
  return 0
end
if delay > 0 then
  call('ZADD', due, now() + delay * 1000, id)
else
  wait_again(id)
end
finish()
return 1
