-- A wrk script that posts the same body repeatedly. Environment: BODY (a file), JSON_LENGTH (the
-- length of the JSON header of a body with binary tensors), DELAY (mean milliseconds between two
-- requests of a connection; 0 for none).
local file = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
local length = os.getenv("JSON_LENGTH") or ""
if length ~= "" then
  wrk.headers["Inference-Header-Content-Length"] = length
else
  wrk.headers["Content-Type"] = "application/json"
end

local pause = tonumber(os.getenv("DELAY") or "0")
if pause > 0 then
  function delay()
    return math.random() * 2 * pause
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
