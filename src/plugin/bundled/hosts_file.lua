-- Adds the project's hosts to /etc/hosts, with the addresses that they have on one switch.

function describe()
    local keywords = {
        { name = "switch", value = "word", help = "takes the addresses on this switch; default: each host's first" },
        { name = "domain", value = "word", help = "is put behind the names" },
    }
    local blocks = {}
    for _, place in ipairs({ "global", "host" }) do
        for _, name in ipairs({ "hosts_file", "hostsFile" }) do
            blocks[#blocks + 1] = {
                place = place, name = name, value = "flag", keywords = keywords,
                help = "adds the hosts of a switch to /etc/hosts",
            }
        end
    end
    return { help = "adds the hosts of a switch to /etc/hosts", blocks = blocks }
end

-- The block's own name: in the host, else in `global`.
local function block(get)
    for _, name in ipairs({ "hosts_file", "hostsFile" }) do
        if get(name) then return name end
    end
end

function check(project)
    for _, name in ipairs({ "hosts_file", "hostsFile" }) do
        local path = "/global/" .. name .. "/switch"
        local switch = project:get(path)
        if switch and not project:get("/switch/" .. switch) then
            project:error(path, "switch `" .. switch .. "` is not defined")
        end
    end
end

-- The address of a host on `switch`, or its first.
local function address(project, name, switch)
    local base = "/host/" .. name .. "/network"
    for _, interface in ipairs(project:lines(base)) do
        local path = base .. "/" .. interface.key
        local text = project:get(path .. "/address")
        if text and text:find("^%d") and (not switch or project:get(path .. "/switch") == switch) then
            return (text:gsub("/.*", ""))
        end
    end
end

function configure(host, guest)
    local project = host.project
    local own = block(function(name) return host:get(name) end)
    local name = own or block(function(name) return project:get("/global/" .. name) end)
    local function get(keyword)
        if own then return host:get(own .. "/" .. keyword) end
        return project:get("/global/" .. name .. "/" .. keyword)
    end
    local switch, domain = get("switch"), get("domain")
    local lines = {}
    for _, other in ipairs(project:hosts()) do
        local found = address(project, other, switch)
        if found then
            local long = domain and other .. "." .. domain .. " " or ""
            lines[#lines + 1] = found .. " " .. long .. other .. "\n"
        end
    end
    guest:region("/etc/hosts", table.concat(lines))
end
