"""The project that most parts of the bench bake."""


def project_text(hosts, template):
    """A web farm of `hosts` machines, each grown to 2 GiB and configured."""
    lines = [
        "global { project bench }",
        "superclass common {",
        "  xen",
        f"  template {template}",
        "  size 2G",
        "  network eth0 { netmask 255.255.0.0 }",
        "  users { john $6$saltsalt$" + "x" * 86 + " }",
        "  groups { admin { john } }",
        "  startup { echo started }",
        "}",
    ]
    for number in range(1, hosts + 1):
        address = f"10.0.{number // 250}.{number % 250 + 1}"
        lines.append(f"host node{number} {{")
        lines.append("  superclass common")
        lines.append(f"  network eth0 {{ address {address} }}")
        lines.append("}")
    return "\n".join(lines) + "\n"
