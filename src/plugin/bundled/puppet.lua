-- Names the Puppet node, and writes what it includes into the site's manifest.

local DIRECTORIES = { "/etc/puppetlabs/puppet", "/etc/puppet" }
local MANIFESTS = {
    ["/etc/puppetlabs/puppet"] = "/etc/puppetlabs/code/environments/production/manifests/site.pp",
    ["/etc/puppet"] = "/etc/puppet/manifests/site.pp",
}

function describe()
    return {
        help = "configures the Puppet agent",
        blocks = {
            {
                place = "host", name = "puppet", help = "the Puppet agent",
                keywords = {
                    { name = "nodename", value = "word", help = "is the node's name; default the host's" },
                    { name = "server", value = "word", help = "is the Puppet server" },
                    { name = "include", value = "list", help = "has the classes of the node" },
                },
            },
        },
    }
end

-- The lines with `key = value` in the section [main].
local function with_setting(lines, key, value)
    local result, section, done = {}, nil, false
    local function put()
        if section == "main" and not done then
            result[#result + 1] = key .. " = " .. value
            done = true
        end
    end
    for _, line in ipairs(lines) do
        local name = line:match("^%s*%[(.-)%]")
        if name then
            put()
            section = name
        end
        if section == "main" and line:match("^%s*([%w_]+)%s*=") == key then
            put()
        else
            result[#result + 1] = line
        end
    end
    put()
    if not done then
        result[#result + 1] = "[main]"
        result[#result + 1] = key .. " = " .. value
    end
    return result
end

function configure(host, guest)
    local directory
    for _, candidate in ipairs(DIRECTORIES) do
        if not directory and guest:exists(candidate) then directory = candidate end
    end
    if not directory then error("there is no Puppet in the guest: `/etc/puppet` is missing", 0) end
    local name = host:get("puppet/nodename") or host.name
    local file = directory .. "/puppet.conf"
    local lines = with_setting(guest:lines(file), "certname", name)
    local server = host:get("puppet/server")
    if server then lines = with_setting(lines, "server", server) end
    guest:write(file, table.concat(lines, "\n") .. "\n")
    local classes = {}
    for _, line in ipairs(host:lines("puppet/include")) do classes[#classes + 1] = "  include " .. line.key .. "\n" end
    if #classes > 0 then
        guest:region(MANIFESTS[directory], "node '" .. name .. "' {\n" .. table.concat(classes) .. "}\n")
    end
end
