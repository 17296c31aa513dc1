-- ARGV: clock, id, attempts. Forgets an entry that is done; 0 when the claim no longer holds it.
if not holds(ARGV[2], ARGV[3]) then
  return 0
end
redis.call('ZREM', leases, ARGV[2])
redis.call('DEL', entry(ARGV[2]))
return 1
