-- Makes numbered hosts from one superclass: node1, node2 and so on, with addresses and servers.

local NAMES = { "autoenum", "autoenum0", "autoenum1", "autoenum2", "autoenum3", "autoenum4", "autoenum5" }

function describe()
    local keywords = {
        { name = "superclass", value = "word", required = true, help = "names what every host inherits" },
        { name = "numhosts", value = "number", required = true, help = "is the number of hosts" },
        { name = "hostprefix", value = "word", help = "is what every name begins with; default `node`" },
        { name = "padding", value = "number", help = "is how many digits a number has at least; default 1" },
        { name = "address", value = "word", help = "`auto` numbers the addresses too" },
        { name = "net", value = "word", help = "is the network of the addresses: `10.0.0.0/24`" },
        { name = "addresses_begin", value = "number", help = "is what is added to `net` for the first host" },
        { name = "interface", value = "word", help = "gets the address; default `eth0`" },
        { name = "service_hosts", value = "list", help = "has the servers in order: `HOST [COUNT|all]`" },
        { name = "autouser", value = "hash", help = "adds a user named like the host with this password hash" },
    }
    local blocks = {}
    for _, name in ipairs(NAMES) do
        blocks[#blocks + 1] = {
            place = "global", name = name, keywords = keywords,
            help = "makes numbered hosts from one superclass",
        }
    end
    return { help = "makes numbered hosts from one superclass", order = 10, blocks = blocks }
end

-- `A.B.C.D` as a number.
local function number_of(address)
    local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
    if not a then return nil end
    local number = 0
    for _, part in ipairs({ a, b, c, d }) do
        part = tonumber(part)
        if part > 255 then return nil end
        number = number * 256 + part
    end
    return number
end

local function address_of(number)
    return string.format("%d.%d.%d.%d", number >> 24, (number >> 16) & 255, (number >> 8) & 255, number & 255)
end

-- The addresses that nobody else may get: gateways, and those of hosts that the project writes out.
local function taken_addresses(project)
    local taken = {}
    for _, kind in ipairs({ "host", "superclass" }) do
        local names = kind == "host" and project:hosts() or project:superclasses()
        for _, name in ipairs(names) do
            local base = "/" .. kind .. "/" .. name .. "/network"
            for _, interface in ipairs(project:lines(base)) do
                for _, keyword in ipairs({ "address", "gateway" }) do
                    local text = project:get(base .. "/" .. interface.key .. "/" .. keyword) or ""
                    local number = number_of((text:gsub("/.*", "")))
                    if number then taken[number] = true end
                end
            end
        end
    end
    return taken
end

-- A whole number in a range, or nil once the fault is told.
local function whole(project, base, keyword, least, most, default)
    local text = project:get(base .. "/" .. keyword)
    if not text then return default end
    local number = math.tointeger(tonumber(text))
    if number and number >= least and number <= most then return number end
    project:error(base .. "/" .. keyword, string.format("`%s` has to be a number from %d to %d", keyword, least, most))
    return nil
end

-- The server of each host, or nil once the fault is told.
local function servers(project, base, count)
    local path = base .. "/service_hosts"
    if not project:get(path) then return {} end
    local list, room = {}, 0
    for _, line in ipairs(project:lines(path)) do
        if line.key == "..." then
            project:error(line, "`...` is no server: the list has to be whole")
            return nil
        end
        local number = line.value == "" and 1 or line.value == "all" and math.maxinteger or
            math.tointeger(tonumber(line.value))
        if not number or number < 1 then
            project:error(line, "`" .. line.value .. "` is no number of hosts", "write `HOST`, `HOST 2` or `HOST all`")
            return nil
        end
        room = number == math.maxinteger and count or room + number
        for _ = 1, math.min(number, count - #list) do list[#list + 1] = line end
    end
    if #list < count then
        project:error(path, string.format("the servers have room for %d of %d hosts", room, count),
            "add servers, or a number of hosts behind one: `HOST 2`, or `HOST all` for the rest")
        return nil
    end
    return list
end

-- How many bits a netmask has, or nil if it is none.
local function bits_of(netmask)
    local number = number_of(netmask)
    for bits = 8, 30 do
        if number == 0xffffffff << (32 - bits) & 0xffffffff then return bits end
    end
    return nil
end

-- What is needed to number addresses; nil once the fault is told, false if none are wanted.
local function numbering(project, base, superclass, interface)
    local wanted = project:get(base .. "/address")
    if not wanted then return false end
    if wanted ~= "auto" then
        project:error(base .. "/address", "`address` takes `auto`", "give other addresses in the hosts")
        return nil
    end
    local text = project:get(base .. "/net")
    if not text then
        project:error(base .. "/address", "`address auto` needs `net`", "write `net 10.0.0.0/24`")
        return nil
    end
    local address, length = text:match("^([%d.]+)/(%d+)$")
    local net = number_of(address or text)
    local own = project:get("/superclass/" .. superclass .. "/network/" .. interface .. "/netmask")
    length = tonumber(length or own and bits_of(own) or 24)
    if not net or length < 8 or length > 30 then
        project:error(base .. "/net", "`" .. text .. "` is no network", "write `net 10.0.0.0/24`, with 8 to 30 bits")
        return nil
    end
    local begin = whole(project, base, "addresses_begin", 0, 16777214, 1)
    if not begin then return nil end
    local mask = 0xffffffff << (32 - length) & 0xffffffff
    local netmask
    if not own then
        netmask = address_of(mask)
        if not address then
            project:warn(base .. "/net", "`" .. text .. "` has no mask: taken for " .. text .. "/24",
                "write `net " .. text .. "/24`, or `netmask` in the superclass")
        end
    end
    local first = net & mask
    return { net = net + begin, first = first + 1, last = first + (~mask & 0xffffffff) - 1, netmask = netmask }
end

local function make(project, name, taken)
    local base = "/global/" .. name
    local superclass = project:get(base .. "/superclass")
    if not superclass or not project:get(base .. "/numhosts") then return end
    local count = whole(project, base, "numhosts", 1, 100000)
    local padding = whole(project, base, "padding", 0, 9, 1)
    if not count or not padding then return end
    local interface = project:get(base .. "/interface") or "eth0"
    local list = servers(project, base, count)
    local numbers = numbering(project, base, superclass, interface)
    if not list or numbers == nil then return end

    local prefix = project:get(base .. "/hostprefix") or "node"
    local hash = project:get(base .. "/autouser")
    local written, own = {}, {}
    for _, host in ipairs(project:hosts()) do written[host] = true end
    for place = 1, count do
        local host = prefix .. string.format("%0" .. padding .. "d", place)
        if written[host] then
            local at = "/host/" .. host
            own[host] = {
                superclass = project:get(at .. "/superclass"),
                server = project:get(at .. "/service_host"),
                address = project:get(at .. "/network/" .. interface .. "/address"),
                netmask = project:get(at .. "/network/" .. interface .. "/netmask"),
            }
        end
    end

    local skipped = 0
    for place = 1, count do
        local host = prefix .. string.format("%0" .. padding .. "d", place)
        local at, says = "/host/" .. host, own[host] or {}
        if not written[host] then
            project:add_host(host, superclass)
        elseif not says.superclass then
            project:set(at .. "/superclass", superclass)
        end
        if list[place] and not says.server then
            project:set(at .. "/service_host", list[place].key, list[place])
        end
        if hash then project:set(at .. "/users/" .. host, hash, base .. "/autouser") end
        if numbers and not says.address then
            local number = numbers.net + place - 1 + skipped
            while taken[number] do
                number, skipped = number + 1, skipped + 1
            end
            if number < numbers.first or number > numbers.last then
                project:error(base .. "/numhosts",
                    string.format("host `%s` would get %s, and the network has %s to %s", host, address_of(number),
                        address_of(numbers.first), address_of(numbers.last)),
                    "begin lower, make fewer hosts, or take a larger network: `net 10.0.0.0/16`")
                return
            end
            taken[number] = true
            project:set(at .. "/network/" .. interface .. "/address", address_of(number))
            if numbers.netmask and not says.netmask then
                project:set(at .. "/network/" .. interface .. "/netmask", numbers.netmask)
            end
        end
    end
end

function post_parse(project)
    local taken = taken_addresses(project)
    if project:get("/global/autoenum") then
        for place = 2, #NAMES do
            if project:get("/global/" .. NAMES[place]) then
                project:warn("/global/" .. NAMES[place],
                    "`" .. NAMES[place] .. "` is passed over, since there is `autoenum`", "number all of them, from `autoenum0` on")
            end
        end
        return make(project, "autoenum", taken)
    end
    for place = 2, #NAMES do make(project, NAMES[place], taken) end
end
