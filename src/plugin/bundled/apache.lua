-- Sets the Apache web server's document root and names in the site that distributions ship.

local KEYWORDS = { "DocumentRoot", "ServerName", "ServerAdmin" }

-- Where distributions keep the first site: Debian, older Debian, SUSE, Alpine, Red Hat.
local FILES = {
    "/etc/apache2/sites-available/000-default.conf",
    "/etc/apache2/sites-available/default",
    "/etc/apache2/default-server.conf",
    "/etc/apache2/httpd.conf",
    "/etc/httpd/conf/httpd.conf",
}

function describe()
    return {
        help = "configures the Apache web server",
        blocks = {
            {
                place = "host", name = "apache", help = "the Apache web server",
                keywords = {
                    { name = "DocumentRoot", value = "text", help = "is the directory of the pages" },
                    { name = "ServerName", value = "text", help = "is the name that the server goes by" },
                    { name = "ServerAdmin", value = "text", help = "is the address of who runs it" },
                },
            },
        },
    }
end

-- The lines with `keyword value` in the place of the first such line; else at the end of the site, else at the end.
local function with_directive(lines, keyword, value)
    local result, done = {}, false
    for _, line in ipairs(lines) do
        local indentation = line:match("^(%s*)" .. keyword .. "%s")
        if indentation then
            if not done then result[#result + 1] = indentation .. keyword .. " " .. value end
            done = true
        elseif not done and line:find("^%s*</VirtualHost>") then
            result[#result + 1] = "\t" .. keyword .. " " .. value
            result[#result + 1] = line
            done = true
        else
            result[#result + 1] = line
        end
    end
    if not done then result[#result + 1] = keyword .. " " .. value end
    return result
end

function configure(host, guest)
    local file
    for _, candidate in ipairs(FILES) do
        if not file and guest:read(candidate) then file = candidate end
    end
    if not file then error("there is no Apache in the guest: none of its usual files is there", 0) end
    local lines = guest:lines(file)
    for _, keyword in ipairs(KEYWORDS) do
        local value = host:get("apache/" .. keyword)
        if value then lines = with_directive(lines, keyword, value) end
    end
    guest:write(file, table.concat(lines, "\n") .. "\n")
    local root = host:get("apache/DocumentRoot")
    if root then
        if not guest:exists(root) then guest:mkdir(root, { mode = "0755" }) end
        -- Apache 2.4 lets nobody into directories that no one opened.
        guest:region(file, "<IfModule mod_authz_core.c>\n<Directory " .. root ..
            ">\n    Require all granted\n</Directory>\n</IfModule>\n")
    end
end
