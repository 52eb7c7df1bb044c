-- Lets people in by their public keys: each line of the block is an account and a key.

function describe()
    local blocks = {}
    for _, name in ipairs({ "ssh_key", "sshkey" }) do
        blocks[#blocks + 1] = { place = "host", name = name, help = "public keys for accounts: `user key`" }
    end
    return { help = "writes public keys into accounts' authorized_keys", blocks = blocks }
end

function configure(host, guest)
    for _, block in ipairs({ "ssh_key", "sshkey" }) do
        for _, line in ipairs(host:lines(block)) do
            local user = guest:user(line.key)
            if not user then error("there is no account `" .. line.key .. "` in the guest", 0) end
            if #line.words < 2 then error("`" .. line.key .. "` needs a key: `user type base64 [comment]`", 0) end
            local directory = user.home .. "/.ssh"
            local keys = directory .. "/authorized_keys"
            guest:mkdir(directory, { mode = "0700", owner = user.uid, group = user.gid })
            guest:append(keys, line.value .. "\n", { mode = "0600", owner = user.uid, group = user.gid })
        end
    end
end
