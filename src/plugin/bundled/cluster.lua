-- Makes the hosts of a project a Torque cluster: one head that serves jobs and home directories, and its nodes.

function describe()
    return {
        help = "makes the hosts a Torque cluster with one head",
        blocks = {
            {
                place = "global", name = "cluster", help = "makes the hosts a Torque cluster with one head",
                keywords = { { name = "head", value = "word", required = true, help = "names the host that is the head" } },
            },
        },
    }
end

function check(project)
    local head = project:get("/global/cluster/head")
    if not head then return end
    local hosts = project:hosts()
    for _, host in ipairs(hosts) do
        if host == head then return end
    end
    local known = hosts[1] and "the hosts are `" .. hosts[1] .. "` to `" .. hosts[#hosts] .. "`"
    project:error("/global/cluster/head", "the head `" .. head .. "` is no host of the project", known)
end

function configure(host, guest)
    local head = host.project:get("/global/cluster/head")
    local spool = "/var/spool/torque"
    guest:write(spool .. "/server_name", head .. "\n", { mode = "0644" })
    if host.name == head then
        local nodes, exports = {}, { "/home" }
        for _, name in ipairs(host.project:hosts()) do
            nodes[#nodes + 1] = name .. "\n"
            if name ~= head then exports[#exports + 1] = name .. "(rw,root_squash)" end
        end
        guest:write(spool .. "/server_priv/nodes", table.concat(nodes), { mode = "0644" })
        guest:write("/etc/exports", table.concat(exports, " ") .. "\n", { mode = "0644" })
    else
        guest:write("/etc/auto.master", "/home /etc/auto.home\n", { mode = "0644" })
        guest:write("/etc/auto.home", "* " .. head .. ":/home/&\n", { mode = "0644" })
    end
end
