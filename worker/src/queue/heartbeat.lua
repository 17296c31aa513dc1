-- ARGV: clock, id, attempts, lease in ms. 1 when the lease was extended, 0 when the claim no longer holds the entry.
local id = ARGV[2]
if call('HGET', job(id), 'attempts') ~= ARGV[3] or not call('ZSCORE', leases, id) then
  return 0
end
call('ZADD', leases, now() + ARGV[4] * 1000, id)
return 1
