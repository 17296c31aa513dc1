-- ARGV: clock, id, attempts, lease in ms. 1 when the lease was extended, 0 when the claim no longer holds the entry.
if not holds(ARGV[2], ARGV[3]) then
  return 0
end
redis.call('ZADD', leases, now + ARGV[4] * 1000, ARGV[2])
return 1
