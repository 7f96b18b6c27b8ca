-- POSTs one body to one path, or to each of LOAD_ROUTERS paths in turn (`@` in LOAD_PATH is the number). With
-- LOAD_DISTINCT there are so many requests that differ in a header, taken in turn: what different requests cost by
-- themselves, whatever router they are for. With LOAD_FRESH every request asks something that was never asked before.
-- LOAD_BODY: file with the body. Prints one JSON line that starts with LOADJSON; times are microseconds.
local requests, turn = {}, 0
local fresh, before, after

function init()
  local file = assert(io.open(os.getenv("LOAD_BODY"), "rb"))
  local body = file:read("*a")
  file:close()
  local distinct = tonumber(os.getenv("LOAD_DISTINCT") or "0")
  local headers = { ["content-type"] = "application/json", ["authorization"] = "Bearer sk-client" }
  if os.getenv("LOAD_FRESH") == "1" then
    -- As wide as it will ever be, so that content-length holds.
    local place = "0000000000"
    local text = wrk.format("POST", os.getenv("LOAD_PATH"):gsub("@", "0"), headers, (body:gsub("}$", ',"seed":1' .. place .. "}")))
    local at = text:find(place, 1, true)
    before, after = text:sub(1, at - 1), text:sub(at + #place)
    fresh = os.time() % 100000 * 100000
    return
  end
  for i = 1, math.max(tonumber(os.getenv("LOAD_ROUTERS") or "1"), distinct) do
    if distinct > 0 then headers["x-number"] = tostring(i) end
    local path = os.getenv("LOAD_PATH"):gsub("@", distinct > 0 and "0" or tostring(i - 1))
    requests[i] = wrk.format("POST", path, headers, body)
  end
end

function request()
  if fresh then
    fresh = fresh + 1
    return before .. string.format("%010d", fresh) .. after
  end
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
