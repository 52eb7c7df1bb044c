//! What may stand in `global`.

use super::super::image_format::IMAGE_FORMATS;
use super::super::schema::Keyword;
use super::super::schema::Place::Global;
use super::super::schema::ValueKind as V;
use super::{carried, dead, here, plugin};

const AUTOENUM: &str = "makes numbered hosts from one superclass";

pub(super) const KEYWORDS: &[Keyword] = &[
    here(Global, "project", V::Word, "names the project; every project needs it").example("project webfarm"),
    here(
        Global,
        "format",
        V::Choice(IMAGE_FORMATS),
        "the format of the root images of hosts that say nothing else",
    )
    .or("raw"),
    carried(Global, "project_password", V::Word, "authorises a remote upgrade"),
    here(Global, "beforeProjectStart", V::Lines, "runs on the server before everything starts")
        .example("beforeProjectStart {\n    modprobe tun\n}"),
    here(Global, "beforeHostsStart",
        V::Lines,
        "runs on the server after the switches, before the hosts start",
    ),
    here(Global, "afterHostsStart", V::Lines, "runs on the server after the hosts have started"),
    here(Global, "afterProjectStart", V::Lines, "runs on the server after everything has started"),
    here(Global, "beforeProjectStop", V::Lines, "runs on the server before everything stops"),
    here(Global, "beforeHostsStop", V::Lines, "runs on the server before the hosts stop"),
    here(Global, "afterHostsStop", V::Lines, "runs on the server after the hosts have stopped"),
    here(Global, "afterProjectStop", V::Lines, "runs on the server after everything has stopped"),
    here(Global, "persist", V::Flag, "keeps the project up: hosts that end are started again").or("off"),
    here(
        Global,
        "secret",
        V::Text,
        "the file from which keys and identifiers of all hosts are derived",
    )
    .or("drawn at the first bake and kept beside the images")
    .example("secret webfarm.secret"),
    plugin(Global, "autoenum", AUTOENUM)
        .example("autoenum {\n    superclass node\n    numhosts 90\n    address auto\n    net 10.0.0.0/24\n    addresses_begin 1\n}"),
    plugin(Global, "autoenum0", AUTOENUM),
    plugin(Global, "autoenum1", AUTOENUM),
    plugin(Global, "autoenum2", AUTOENUM),
    plugin(Global, "autoenum3", AUTOENUM),
    plugin(Global, "autoenum4", AUTOENUM),
    plugin(Global, "autoenum5", AUTOENUM),
    plugin(Global, "cluster", "makes the hosts a Torque cluster with one head")
        .example("cluster {\n    head node1\n}"),
    plugin(Global, "hosts_file", "adds the hosts of a switch to every /etc/hosts")
        .example("hosts_file {\n    switch lan\n}"),
    plugin(Global, "hostsFile", "the same as `hosts_file`"),
    dead(Global, "openstack", "OpenStack", "settings of the project in OpenStack"),
];
