-- A page from the cache, or from the slow back end and then into the cache.
local resp = require "resp"

local function fail(problem)
  ngx.status = 502
  ngx.say("store: ", problem)
  return ngx.exit(502)
end

local store, problem = resp.connect("127.0.0.1", tonumber(os.getenv("OCHRE_PORT")))
if not store then return fail(problem) end

if ngx.var.uri == "/stats" then
  local replies, failed = store:pipeline({ { "HGETALL", "stats" }, { "LRANGE", "miss_ms", 0, -1 } })
  if not replies then return fail(failed) end
  store:release()
  local counts, sum = { hits = 0, misses = 0 }, 0
  for index = 1, #replies[1], 2 do counts[replies[1][index]] = tonumber(replies[1][index + 1]) end
  for _, time in ipairs(replies[2]) do sum = sum + time end
  local all = counts.hits + counts.misses
  ngx.say("hits ", counts.hits)
  ngx.say("misses ", counts.misses)
  ngx.say("hit_ratio ", string.format("%.2f", all > 0 and counts.hits / all or 0))
  ngx.say("miss_ms_mean ", string.format("%.0f", #replies[2] > 0 and sum / #replies[2] or 0))
  return
end

local key = "page:" .. ngx.var.uri
local body, failed = store:call("GET", key)
if body == nil then return fail(failed) end
if body ~= ngx.null then
  ngx.header["X-Cache"] = "hit"
  store:call("HINCRBY", "stats", "hits", 1)
else
  ngx.header["X-Cache"] = "miss"
  local began = ngx.now()
  body = ngx.location.capture("/backend" .. ngx.var.uri).body
  ngx.update_time()
  local took_ms = math.floor((ngx.now() - began) * 1000)
  store:pipeline({
    { "SET", key, body, "EX", 60 },
    { "HINCRBY", "stats", "misses", 1 },
    { "RPUSH", "miss_ms", took_ms },
    { "LTRIM", "miss_ms", -1000, -1 },
  })
end
store:release()
ngx.print(body)
