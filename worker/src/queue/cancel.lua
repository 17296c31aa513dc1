-- ARGV: clock, id. Forgets an entry that waits or rests; 0 when it is unknown or a worker holds it.
local id = ARGV[2]
local entry = job_of(id)
if not entry then
  return 0
end
if call('ZREM', due, id) == 0 then
  local flow = flow_of(entry.lane, entry.user)
  if not leave(flow, entry_of(id, entry.limit, entry.since), entry.short == '1' and 'short' or 'long') then
    return 0
  end
  arrange(flow)
end
forget(id)
finish()
tidy({ entry.user })
return 1
