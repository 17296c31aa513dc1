-- ARGV: clock, id, attempts, lease in ms. 1 when the lease was extended, 0 when the claim no longer holds the entry.
local id = ARGV[2]
local entry = job_of(id)
if not entry or entry.attempts ~= tonumber(ARGV[3]) or not call('ZSCORE', leases, id) then
  return 0
end
call('ZADD', leases, whole(now() + ARGV[4] * 1000), id)
return 1
