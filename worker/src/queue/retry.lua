-- ARGV: clock, id, attempts, delay in ms. Gives a held entry back, to wait again after the delay; 0 when the claim no longer
-- holds it.
local id, delay = ARGV[2], tonumber(ARGV[4])
if not let_go(id, ARGV[3]) then
  return 0
end
if delay > 0 then
  put(due, id, now() + delay * 1000)
else
  wait_again(id)
end
finish()
return 1
