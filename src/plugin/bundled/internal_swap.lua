-- Makes a swap file inside the image, for platforms that give a machine no second disk.

function describe()
    local blocks = {}
    for _, name in ipairs({ "internal_swap", "internalswap" }) do
        blocks[#blocks + 1] = {
            place = "host", name = name, value = "size", keywords = {},
            help = "a swap file of this size inside the image",
        }
    end
    return { help = "makes a swap file inside the image", blocks = blocks }
end

function configure(host, guest)
    local size = host:get("internal_swap") or host:get("internalswap")
    guest:swap_file("/swapfile", size)
    guest:append("/etc/fstab", "/swapfile none swap sw 0 0\n")
end
