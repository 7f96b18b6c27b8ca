-- POSTs one body to one path, or to each of LOAD_ROUTERS paths in turn (`@` in LOAD_PATH is the number).
-- LOAD_BODY: file with the body. Prints one JSON line that starts with LOADJSON; times are microseconds.
local requests, turn = {}, 0

function init()
  local file = assert(io.open(os.getenv("LOAD_BODY"), "rb"))
  local body = file:read("*a")
  file:close()
  local headers = { ["content-type"] = "application/json", ["authorization"] = "Bearer sk-client" }
  for i = 1, tonumber(os.getenv("LOAD_ROUTERS") or "1") do
    local path = os.getenv("LOAD_PATH"):gsub("@", tostring(i - 1))
    requests[i] = wrk.format("POST", path, headers, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'LOADJSON {"requests":%d,"seconds":%.6f,"failed":%d,"p50":%.1f,"p99":%.1f}\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
