-- ARGV: clock, then for each entry: id, attempts. Forgets entries that are done; for each 1, or 0 when the claim no longer holds it.
local ids, done = {}, {}
for at = 2, #ARGV, 2 do
  ids[#ids + 1] = ARGV[at]
end
know_jobs(ids)
local of_users = {}
for _, id in ipairs(ids) do
  local entry = job_of(id)
  of_users[#of_users + 1] = entry and entry.user or nil
end
know_users(of_users)
for at, id in ipairs(ids) do
  done[at] = let_go(id, ARGV[2 * at + 1]) and 1 or 0
  if done[at] == 1 then
    forget(id)
  end
end
finish()
tidy(of_users)
return done
