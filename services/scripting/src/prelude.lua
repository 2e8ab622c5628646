-- What scripts see: the libraries, made read-only, and functions that guard them. `native` holds what is written in Rust.
local native = ...

local error, type, tostring, next, select, unpack, xpcall = error, type, tostring, next, select, unpack, xpcall
local rawget, rawset, rawequal, setmetatable, getmetatable = rawget, rawset, rawequal, setmetatable, getmetatable
local concat, byte, sub = table.concat, string.byte, string.sub
local caught, where, match = native.caught, native.where, native.match

local READONLY = 'Attempt to modify a readonly table'
-- Proxies that stand for tables which scripts may read only: what each shows, and the metatable that scripts see.
local shown, visible_meta = {}, {}

local function refuse() error(READONLY, 2) end

local function protect(content)
  local proxy = {}
  shown[proxy] = content
  return setmetatable(proxy, { __index = content, __newindex = refuse, __len = nil })
end

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

-- Errors --------------------------------------------------------------------------------------------------------------

-- Lua's own pcall and xpcall have room for about twenty results, so many travel in a table.
local MANY = {}
local function relay(...)
  if select('#', ...) < 16 then return ... end
  return MANY, { n = select('#', ...), ... }
end
local function invoke(work, ...) return relay(work(...)) end

-- What a script that catches an error gets: the text of an error table.
local function settle(ok, first, ...)
  if ok then
    if rawequal(first, MANY) then
      local results = ...
      return true, unpack(results, 1, results.n)
    end
    return true, first, ...
  end
  first = caught(first)
  if type(first) == 'table' then
    local text = rawget(first, 'err')
    if type(text) == 'string' then first = text end
  end
  return false, first
end

local raw_pcall = pcall
local function guarded_pcall(...)
  if select('#', ...) == 0 then error("bad argument #1 to 'pcall' (value expected)", 2) end
  return settle(raw_pcall(invoke, ...))
end

local function handled(ok, first, ...)
  if ok and rawequal(first, MANY) then
    local results = ...
    return true, unpack(results, 1, results.n)
  end
  return ok, first, ...
end

local function guarded_xpcall(work, handler)
  return handled(xpcall(function() return relay(work()) end, function(failure)
    -- The handler of the error that ends a script runs where no look at the clock is possible.
    if native.is_ending() then return failure end
    return handler(caught(failure))
  end))
end

local function resumed(ok, first, ...)
  if ok then return true, first, ... end
  return false, caught(first)
end

local raw_resume = coroutine.resume

-- Guarded basics ------------------------------------------------------------------------------------------------------

local function must_be_table(value, name)
  if type(value) ~= 'table' then
    local got = value == nil and 'no value' or type(value)
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. got .. ')', 3)
  end
end

local base = {}
for _, name in ipairs {
  'assert', 'error', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring', 'type', 'gcinfo', '_VERSION',
} do base[name] = _G[name] end
base.pcall, base.xpcall = guarded_pcall, guarded_xpcall

-- Lua's own counts in 32 bits, and what overflows there crashes.
function base.unpack(list, from, to)
  if type(list) ~= 'table' then
    error("bad argument #1 to 'unpack' (table expected, got " .. (list == nil and 'no value' or type(list)) .. ')', 2)
  end
  -- With fewer arguments there is room for more results.
  if from == nil and to == nil then return unpack(list) end
  from = from == nil and 1 or tonumber(from)
  to = to == nil and #list or tonumber(to)
  if not from then error("bad argument #2 to 'unpack' (number expected)", 2) end
  if not to then error("bad argument #3 to 'unpack' (number expected)", 2) end
  if to < from then return end
  if not (to - from < 8000) or from < -2147483648 or to > 2147483646 then error('too many results to unpack', 2) end
  return unpack(list, from, to)
end

function base.rawget(from, key)
  must_be_table(from, 'rawget')
  return rawget(shown[from] or from, key)
end

function base.rawset(to, key, value)
  must_be_table(to, 'rawset')
  if shown[to] then error(READONLY, 0) end
  return rawset(to, key, value)
end

function base.setmetatable(of, meta)
  must_be_table(of, 'setmetatable')
  if shown[of] then error(READONLY, 0) end
  if meta ~= nil and type(meta) ~= 'table' then
    error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
  end
  return setmetatable(of, meta)
end

local string_meta
function base.getmetatable(of)
  if type(of) == 'table' and shown[of] then return visible_meta[of] end
  if type(of) == 'string' then return string_meta end
  return getmetatable(of)
end

function base.next(of, key)
  must_be_table(of, 'next')
  return next(shown[of] or of, key)
end

function base.pairs(of)
  must_be_table(of, 'pairs')
  local content = shown[of]
  if not content then return next, of, nil end
  return function(_, key) return next(content, key) end, of, nil
end

local raw_loadstring = loadstring
function base.loadstring(text, name)
  if type(text) == 'number' then text = tostring(text) end
  if type(text) ~= 'string' then
    error("bad argument #1 to 'loadstring' (string expected, got " .. (text == nil and 'no value' or type(text)) .. ')', 2)
  end
  -- Compiled code could break out of the interpreter, so only text is taken.
  if byte(text, 1) == 27 then
    return nil, native.chunk_name(name or text) .. ":1: unexpected symbol near 'char(27)'"
  end
  return raw_loadstring(text, name or text)
end

function base.load(reader, name)
  if type(reader) ~= 'function' then
    error("bad argument #1 to 'load' (function expected, got " .. (reader == nil and 'no value' or type(reader)) .. ')', 2)
  end
  local pieces, count = {}, 0
  while true do
    local piece = reader()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
    count = count + 1
    pieces[count] = piece
  end
  return base.loadstring(concat(pieces), name or '=(load)')
end

local raw_collectgarbage = collectgarbage
function base.collectgarbage(what, amount)
  if what == nil or what == 'collect' then return raw_collectgarbage('collect') end
  if what == 'count' then return raw_collectgarbage('count') end
  if what == 'step' then return raw_collectgarbage('step', amount) end
  if what == 'stop' or what == 'restart' or what == 'setpause' or what == 'setstepmul' then return 0 end
  error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(what) .. "')", 2)
end

-- Tables --------------------------------------------------------------------------------------------------------------

local tables = {}
for _, name in ipairs { 'concat', 'foreach', 'foreachi', 'getn', 'maxn', 'setn' } do tables[name] = table[name] end

local raw_insert, raw_remove, raw_sort = table.insert, table.remove, table.sort
function tables.insert(into, ...)
  if shown[into] then error(READONLY, 0) end
  if select('#', ...) == 2 then
    -- Everything from the place on moves, one by one, and cannot be interrupted.
    local place = tonumber((...))
    if place and not (place > -1e5 and place < 2e9) then
      error("bad argument #2 to 'insert' (position out of bounds)", 2)
    end
  end
  return raw_insert(into, ...)
end
function tables.remove(from, ...)
  if shown[from] then error(READONLY, 0) end
  return raw_remove(from, ...)
end

local function less(a, b) return a < b end
function tables.sort(list, is_less)
  if shown[list] then error(READONLY, 0) end
  -- The sort itself cannot be interrupted, a comparison in Lua can.
  if is_less == nil and type(list) == 'table' and #list > 10000 then is_less = less end
  return raw_sort(list, is_less)
end

-- Strings -------------------------------------------------------------------------------------------------------------

local strings = {}
for _, name in ipairs { 'byte', 'char', 'dump', 'format', 'len', 'lower', 'reverse', 'sub', 'upper' } do
  strings[name] = string[name]
end
strings.find, strings.match = native.find, native.match

local raw_rep = string.rep
function strings.rep(text, times)
  if text == '' then return '' end
  return raw_rep(text, times)
end

function strings.gmatch(text, pattern)
  if type(text) == 'number' then text = tostring(text) end
  if type(pattern) == 'number' then pattern = tostring(pattern) end
  if type(text) ~= 'string' then
    error("bad argument #1 to 'gmatch' (string expected, got " .. (text == nil and 'no value' or type(text)) .. ')', 2)
  end
  if type(pattern) ~= 'string' then
    error("bad argument #2 to 'gmatch' (string expected, got " .. (pattern == nil and 'no value' or type(pattern)) .. ')', 2)
  end
  local at = 1
  local scan = native.scan
  local function take(from, to, ...)
    if not from then
      at = #text + 2
      return nil
    end
    -- An empty match moves on by one.
    at = to < from and to + 2 or to + 1
    return ...
  end
  return function()
    if at > #text + 1 then return nil end
    return take(scan(text, pattern, at, false))
  end
end
strings.gfind = strings.gmatch

local function expand(replacement, whole, ...)
  local captures = select('#', ...)
  local out, count, at, length = {}, 0, 1, #replacement
  while at <= length do
    local stop = native.find(replacement, '%', at, true)
    if not stop then break end
    count = count + 1
    out[count] = sub(replacement, at, stop - 1)
    local digit = byte(replacement, stop + 1)
    count = count + 1
    if digit == 48 then
      out[count] = whole
    elseif digit and digit >= 49 and digit <= 57 then
      local number = digit - 48
      if number > captures then error('invalid capture index', 4) end
      local value = select(number, ...)
      out[count] = type(value) == 'number' and tostring(value) or value
    else
      out[count] = digit and sub(replacement, stop + 1, stop + 1) or '\0'
    end
    at = stop + 2
  end
  out[count + 1] = sub(replacement, at)
  return concat(out)
end

function strings.gsub(text, pattern, replacement, most)
  if type(text) == 'number' then text = tostring(text) end
  if type(pattern) == 'number' then pattern = tostring(pattern) end
  local kind = type(replacement)
  if kind == 'number' then replacement, kind = tostring(replacement), 'string' end
  if type(text) ~= 'string' then
    error("bad argument #1 to 'gsub' (string expected, got " .. (text == nil and 'no value' or type(text)) .. ')', 2)
  end
  if type(pattern) ~= 'string' then
    error("bad argument #2 to 'gsub' (string expected, got " .. (pattern == nil and 'no value' or type(pattern)) .. ')', 2)
  end
  if kind ~= 'string' and kind ~= 'function' and kind ~= 'table' then
    error("bad argument #3 to 'gsub' (string/function/table expected)", 2)
  end
  most = most == nil and #text + 1 or tonumber(most)
  if not most then error("bad argument #4 to 'gsub' (number expected, got " .. type(most) .. ')', 2) end
  local plain = kind == 'string' and not native.find(replacement, '%', 1, true)
  local anchored = byte(pattern, 1) == 94
  local out, count, done, at = {}, 0, 0, 1
  local scan = native.scan

  local function replace(from, to, ...)
    if not from then return nil end
    if from > at then
      count = count + 1
      out[count] = sub(text, at, from - 1)
    end
    local value
    if plain then
      value = replacement
    elseif kind == 'string' then
      value = expand(replacement, sub(text, from, to), ...)
    elseif kind == 'function' then
      value = replacement(...)
    else
      value = replacement[(...)]
    end
    if not value then
      value = sub(text, from, to)
    elseif type(value) == 'number' then
      value = tostring(value)
    elseif type(value) ~= 'string' then
      error('invalid replacement value (a ' .. type(value) .. ')', 3)
    end
    count = count + 1
    out[count] = value
    return from, to
  end

  while done < most and at <= #text + 1 do
    local from, to = replace(scan(text, pattern, at, true))
    if not from then break end
    done = done + 1
    if to >= from then
      at = to + 1
    else
      count = count + 1
      out[count] = sub(text, from, from)
      at = from + 1
    end
    if anchored then break end
  end
  count = count + 1
  out[count] = sub(text, at)
  return concat(out), done
end

-- The environment -----------------------------------------------------------------------------------------------------

local routines = {}
for _, name in ipairs { 'create', 'running', 'status', 'wrap', 'yield' } do routines[name] = coroutine[name] end
function routines.resume(...) return resumed(raw_resume(...)) end

local maths = {}
for name, value in next, math do maths[name] = value end
maths.random, maths.randomseed = native.random, native.randomseed

string_meta = protect { __index = protect(strings) }
getmetatable('').__index = strings

local constants = native.constants
local function api(more)
  local content = {}
  for name, value in next, constants do content[name] = value end
  for name, value in next, more do content[name] = value end
  return content
end

local run_api = protect(api(native.redis))
local libraries = {
  string = string_meta.__index, table = protect(tables), math = protect(maths), coroutine = protect(routines),
  os = protect { clock = os.clock }, bit = protect(native.bit), struct = protect(native.struct),
  cjson = protect(native.cjson), cmsgpack = protect(native.cmsgpack), redis = run_api, server = run_api,
}

local function environment(extra)
  local content = {}
  for name, value in next, base do content[name] = value end
  for name, value in next, extra do content[name] = value end
  local meta = { __index = missing }
  setmetatable(content, meta)
  local proxy = protect(content)
  visible_meta[proxy] = protect { __index = missing }
  content._G = proxy
  return proxy, content
end

local globals, global_values = environment(libraries)
global_values.KEYS, global_values.ARGV = {}, {}
local function_globals, function_values = environment(libraries)

-- While a library is loaded it sees nothing but what registers its functions.
local load_api = protect(setmetatable(api { log = native.redis.log, register_function = native.register_function },
  { __index = missing }))
local load_values = setmetatable({ redis = load_api, server = load_api }, { __index = missing })
local library_meta = getmetatable(function_globals)

-- Running -------------------------------------------------------------------------------------------------------------

-- The error at the top: a table with its text, and where it happened.
local function describe(failure)
  local source, line = where()
  failure = caught(failure)
  local text
  if type(failure) == 'table' then
    text = rawget(failure, 'err')
    if type(text) ~= 'string' then text = 'ERR unknown error' end
    return { err = text, source = source, line = line, counted = rawget(failure, 'ignore_error_stats_update') }
  end
  return { err = 'ERR ' .. tostring(failure), source = source, line = line }
end

-- A run gets its keys and arguments one after the other, `count` of them keys; where there are too many for that, as two tables.
local function split(count, ...)
  if count == 0 then return {}, { ... } end
  if type(count) == 'table' then return count, (...) end
  local keys, arguments, words = {}, {}, { ... }
  for at = 1, count do keys[at] = words[at] end
  for at = count + 1, #words do arguments[at - count] = words[at] end
  return keys, arguments
end

local function run_script(script, count, ...)
  global_values.KEYS, global_values.ARGV = split(count, ...)
  return xpcall(script, describe)
end

-- As `run_script`, for one key, the usual case.
local function run_script_of_one(script, key, ...)
  global_values.KEYS, global_values.ARGV = { key }, { ... }
  return xpcall(script, describe)
end

local function run_function(work, count, ...)
  local keys, arguments = split(count, ...)
  return xpcall(function() return work(keys, arguments) end, describe)
end

local function load_library(chunk)
  library_meta.__index = load_values
  local ok, failure = xpcall(chunk, describe)
  library_meta.__index = function_values
  return ok, failure
end

return globals, function_globals, run_script, run_script_of_one, run_function, load_library
