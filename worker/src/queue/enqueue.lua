-- ARGV: clock, then for each entry: id, payload, user, lane, short, limit. Forgets those that the queue knows.
local ids, of_users = {}, {}
for at = 2, #ARGV, 6 do
  ids[#ids + 1] = ARGV[at]
  of_users[#of_users + 1] = ARGV[at + 2]
end
know_jobs(ids)
know_users(of_users)
for at = 2, #ARGV, 6 do
  local id, payload, user, lane, short, limit = unpack(ARGV, at, at + 5)
  if not job_of(id) then
    local turn = ticket()
    keep(id, { attempts = 0, turn = 0, since = turn, lane = lane, short = short, limit = limit, user = user, payload = payload })
    local flow = flow_of(lane, user)
    local is_first = not flow.turn or (short == '1' and not flow.short_place)
    join(flow, id, limit, short == '1' and 'short' or 'long', turn, turn)
    -- Behind others, it changes nothing for its flow.
    if is_first then
      arrange(flow)
    end
    wake_workers()
  end
end
finish()
