-- ARGV: clock, id, attempts. Forgets an entry that is done; 0 when the claim no longer holds it.
local id = ARGV[2]
local attempts, user, limit = unpack(call('HMGET', job(id), 'attempts', 'user', 'limit'))
if attempts ~= ARGV[3] or not let_go(id, user, limit) then
  return 0
end
call('DEL', job(id))
finish()
tidy(user)
return 1
