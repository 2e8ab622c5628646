-- A client of the Redis protocol over nginx's cosockets: connect, pipelines, keepalive.
local resp = {}
resp.__index = resp

function resp.connect(host, port)
  local socket = ngx.socket.tcp()
  socket:settimeout(2000)
  local ok, problem = socket:connect(host, port)
  if not ok then return nil, problem end
  return setmetatable({ socket = socket }, resp)
end

local function read(socket)
  local line, problem = socket:receive()
  if not line then return nil, problem end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "+" then return rest end
  if kind == "-" then return nil, rest end
  if kind == ":" then return tonumber(rest) end
  local size = tonumber(rest)
  if size == -1 then return ngx.null end
  if kind == "$" then
    local bytes, failed = socket:receive(size)
    if not bytes then return nil, failed end
    socket:receive(2)
    return bytes
  end
  local items = {}
  for index = 1, size do
    local item, failed = read(socket)
    if item == nil then return nil, failed end
    items[index] = item
  end
  return items
end

-- Sends all commands at once; answers a list of replies.
function resp:pipeline(commands)
  local out = {}
  for _, words in ipairs(commands) do
    out[#out + 1] = "*" .. #words .. "\r\n"
    for _, word in ipairs(words) do
      word = tostring(word)
      out[#out + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
    end
  end
  local sent, problem = self.socket:send(out)
  if not sent then return nil, problem end
  local replies = {}
  for index = 1, #commands do
    local reply, failed = read(self.socket)
    if reply == nil then return nil, failed end
    replies[index] = reply
  end
  return replies
end

function resp:call(...)
  local replies, problem = self:pipeline({ { ... } })
  if not replies then return nil, problem end
  return replies[1]
end

function resp:release()
  self.socket:setkeepalive(10000, 20)
end

return resp
