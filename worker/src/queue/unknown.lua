-- ARGV: clock, ids. Those of them that the queue does not know.
local unknown = {}
for at = 2, #ARGV do
  if call('EXISTS', job(ARGV[at])) == 0 then
    unknown[#unknown + 1] = ARGV[at]
  end
end
return unknown
