-- ARGV: clock, then for each entry: id, payload, user, lane, short, limit. Forgets those that the queue knows.
for at = 2, #ARGV, 6 do
  local id, payload, user, lane, short, limit = unpack(ARGV, at, at + 5)
  if call('EXISTS', job(id)) == 0 then
    local turn = ticket()
    call('HSET', job(id), 'payload', payload, 'user', user, 'lane', lane, 'short', short, 'limit', limit, 'since', turn)
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
