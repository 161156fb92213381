-- wrk script: POST the lines of a file, each once, in order, and stop when it ends.
-- Arguments: the file and the bearer key. A single thread (-t1), or the lines would be sent twice.

local lines
local path = "/api/v1/identifiers"

function init(args)
  lines = io.lines(args[1])
  wrk.headers["Authorization"] = "Bearer " .. args[2]
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  local body = lines()
  if body == nil then
    wrk.thread:stop()
    body = "{}"
  end
  return wrk.format("POST", path, nil, body)
end
