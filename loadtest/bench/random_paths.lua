-- wrk script: request random paths of a file, one path a line. Arguments: the file and a seed.
-- Requests are built beforehand, so that the generator costs little more than without a script.

local requests = {}

function init(args)
  for path in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
  math.randomseed(tonumber(args[2]))
end

function request()
  return requests[math.random(#requests)]
end
