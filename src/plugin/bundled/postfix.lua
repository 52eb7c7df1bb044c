-- Sets parameters of the Postfix mail server: each line of the block is one of main.cf, such as `relayhost`.

function describe()
    return {
        help = "configures the Postfix mail server",
        blocks = { { place = "host", name = "postfix", help = "the Postfix mail server" } },
    }
end

-- The lines with `keyword = value` in the place of the first such line and its continuations, else at the end.
local function with_parameter(lines, keyword, value)
    local result, done, inside = {}, false, false
    for _, line in ipairs(lines) do
        if line:match("^([%w_]+)%s*=") == keyword then
            if not done then result[#result + 1] = keyword .. " = " .. value end
            done, inside = true, true
        elseif not (inside and line:find("^%s+%S")) then
            result[#result + 1] = line
            inside = false
        end
    end
    if not done then result[#result + 1] = keyword .. " = " .. value end
    return result
end

function configure(host, guest)
    local file = "/etc/postfix/main.cf"
    if not guest:read(file) then error("there is no Postfix in the guest: `" .. file .. "` is missing", 0) end
    local lines = guest:lines(file)
    for _, line in ipairs(host:lines("postfix")) do lines = with_parameter(lines, line.key, line.value) end
    guest:write(file, table.concat(lines, "\n") .. "\n")
end
