-- Cuts the standard library down to what computes: the same input gives the same output, and nothing runs without end
-- where the step limit does not look.
local type, tostring, error, select = type, tostring, error, select
local next, sort, concat = next, table.sort, table.concat
local pack, unpack, move = table.pack, table.unpack, table.move
local rep, format, find, gsub = string.rep, string.format, string.find, string.gsub

local function before(one, other)
    local first, second = type(one), type(other)
    if first ~= second then return first < second end
    if first == "boolean" then return one and not other end
    return one < other
end

-- The keys in order: booleans, numbers, then strings.
local function keys_of(tab)
    local keys, count = {}, 0
    for key in next, tab do
        local kind = type(key)
        if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
            error("a " .. kind .. " as a key has no order: use strings or numbers", 3)
        end
        count = count + 1
        keys[count] = key
    end
    sort(keys, before)
    return keys
end

function pairs(tab)
    if type(tab) ~= "table" then
        error("bad argument #1 to 'pairs' (table expected, got " .. type(tab) .. ")", 2)
    end
    local keys, place = keys_of(tab), 0
    return function()
        while true do
            place = place + 1
            local key = keys[place]
            if key == nil then return nil end
            if tab[key] ~= nil then return key, tab[key] end
        end
    end, tab, nil
end

local function shown(value)
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
    return kind
end
_G.tostring = shown

function string.format(text, ...)
    if find(gsub(text, "%%%%", ""), "%%[-+ #0-9.]*p") then
        error("bad argument #1 to 'format' (addresses cannot be told)", 2)
    end
    local values = pack(...)
    for place = 1, values.n do
        local kind = type(values[place])
        if kind ~= "string" and kind ~= "number" then values[place] = shown(values[place]) end
    end
    return format(text, unpack(values, 1, values.n))
end

function string.rep(text, count, separator)
    separator = separator or ""
    if #text + #separator == 0 or count <= 0 then return "" end
    if (#text + #separator) * count > 16 * 1024 * 1024 then error("the text would be too long", 2) end
    return rep(text, count, separator)
end

function table.move(from, first, last, place, to)
    if last - first > 1000000 then error("too many elements to move", 2) end
    return move(from, first, last, place, to)
end

string.find, string.match = matcher.find, matcher.match
string.gmatch, string.gsub = matcher.gmatch, matcher.gsub
string.dump, math.random, math.randomseed = nil, nil, nil
for _, name in ipairs({
    "collectgarbage", "dofile", "getmetatable", "load", "loadfile", "loadstring", "matcher", "next", "package", "pcall",
    "print", "rawequal", "rawget", "rawlen", "rawset", "require", "setmetatable", "warn", "xpcall",
}) do
    _G[name] = nil
end
