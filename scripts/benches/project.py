"""The project that most parts of the bench bake."""


def project_lines(hosts, template):
    """The lines of a web farm of `hosts` machines, each grown to 2 GiB and configured."""
    yield "global { project bench }\n"
    yield "superclass common {\n"
    yield "  xen\n"
    yield f"  template {template}\n"
    yield "  size 2G\n"
    yield "  network eth0 { netmask 255.255.0.0 }\n"
    yield "  users { john $6$saltsalt$" + "x" * 86 + " }\n"
    yield "  groups { admin { john } }\n"
    yield "  startup { echo started }\n"
    yield "}\n"
    for number in range(1, hosts + 1):
        address = f"10.0.{number // 250}.{number % 250 + 1}"
        yield f"host node{number} {{\n"
        yield "  superclass common\n"
        yield f"  network eth0 {{ address {address} }}\n"
        yield "}\n"


def project_text(hosts, template):
    """The same in one piece."""
    return "".join(project_lines(hosts, template))
