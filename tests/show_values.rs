//! `show`: what holds in each host once includes, variables and inheritance are resolved.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use mln_image::diag::{Colours, render_all};
use mln_image::project::{LoadOptions, TextLoader, load, show};

/// The flat values of the hosts of a project without faults.
fn hosts(text: &str) -> String {
    values(text, |path| path.starts_with("/host/"))
}

fn values(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let loader: TextLoader = [("p.mln", text)].into_iter().collect();
    let loaded = load(&loader, "p.mln", &LoadOptions::default());
    assert_eq!(
        render_all(&loaded.diagnostics, &loaded.sources, Colours::Never),
        ""
    );
    let pairs = show(&loaded, None).into_iter().filter(|(path, _)| wanted(path));
    pairs.fold(String::new(), |mut text, (path, value)| {
        writeln!(text, "{path} = {value}").unwrap();
        text
    })
}

#[test]
fn blocks_merge_by_name_and_the_nearest_value_wins() {
    insta::assert_snapshot!(hosts("
global { project p }
superclass base { template t; memory 64M; network eth0 { switch lan; netmask 255.0.0.0 } }
superclass web { superclass base; memory 128M; network eth1 { address dhcp } }
switch lan { }
host a { superclass web; network eth0 { address 10.0.0.1 } }
host b { superclass web; memory 256M }
"), @r#"
/host/a/memory = 128M
/host/a/network/eth0/address = 10.0.0.1
/host/a/network/eth0/netmask = 255.0.0.0
/host/a/network/eth0/switch = lan
/host/a/network/eth1/address = dhcp
/host/a/superclass = web
/host/a/template = t
/host/b/memory = 256M
/host/b/network/eth0/netmask = 255.0.0.0
/host/b/network/eth0/switch = lan
/host/b/network/eth1/address = dhcp
/host/b/superclass = web
/host/b/template = t
"#);
}

#[test]
fn lists_are_appended_without_repetition() {
    insta::assert_snapshot!(hosts("
global { project p }
superclass common {
    template t
    users { joe *; ann * }
    modules { loop; dummy }
    startup {
        echo common
        echo both
    }
    files {
        motd /etc/motd
    }
}
host a {
    superclass common
    users { joe !x; bob * }
    modules { dummy; tun }
    startup {
        echo both
        echo a
    }
    files { motd /etc/issue 600 }
}
"), @r#"
/host/a/files/motd = /etc/motd
/host/a/files/motd = /etc/issue 600
/host/a/modules/dummy = 1
/host/a/modules/loop = 1
/host/a/modules/tun = 1
/host/a/startup/1 = echo common
/host/a/startup/2 = echo both
/host/a/startup/3 = echo a
/host/a/superclass = common
/host/a/template = t
/host/a/users/ann = *
/host/a/users/bob = *
/host/a/users/joe = !x
"#);
}

#[test]
fn a_construct_of_several_lines_keeps_all_of_them() {
    insta::assert_snapshot!(hosts("
global { project p }
superclass common {
    template t
    startup {
        for i in 1 2; do
            echo $i
        done
    }
}
host a {
    superclass common
    startup {
        for i in 3 4; do
            echo $i
        done
    }
}
"), @r#"
/host/a/startup/1 = for i in 1 2; do
/host/a/startup/2 =     echo $i
/host/a/startup/3 = done
/host/a/startup/4 = for i in 3 4; do
/host/a/startup/5 =     echo $i
/host/a/startup/6 = done
/host/a/superclass = common
/host/a/template = t
"#);
}

#[test]
fn variables_are_those_of_the_block_where_the_text_stands() {
    insta::assert_snapshot!(hosts("
$top = from-top
global { project p; $v = from-global; $w = $v $[v]M; $deep = $[top]/$[v] }
superclass common {
    template $v
    $v = from-common
    kernel $v
    ramdisk /boot/$[hostname].$[project]
    term screen
}
host a {
    superclass common
    $v = from-host
    service_host $v
    startup {
        echo $v $w; echo \"$v\" $nothing $[hostname]
    }
}
host b { superclass common; service_host $v }
host $[top] { template $deep; service_host srv }
"), @r#"
/host/a/$v = from-host
/host/a/kernel = from-common
/host/a/ramdisk = /boot/a.p
/host/a/service_host = from-host
/host/a/startup/1 = echo from-host from-global from-globalM; echo "$v" $nothing a
/host/a/superclass = common
/host/a/template = from-common
/host/a/term = screen
/host/b/$v = from-common
/host/b/kernel = from-common
/host/b/ramdisk = /boot/b.p
/host/b/service_host = from-common
/host/b/superclass = common
/host/b/template = from-common
/host/b/term = screen
/host/from-top/service_host = srv
/host/from-top/template = from-top/from-global
"#);
}

#[test]
fn a_variable_may_stand_where_a_keyword_does() {
    let text = "global { project p; $admin = ann; $setting = memory 64M }\nhost a { template t; $setting; users { \
                $admin *; $own = bob; $own ! }; groups { wheel { $admin; $own = ann; $own } } }\n";
    let shown = hosts(text);
    for line in [
        "/host/a/memory = 64M",
        "/host/a/users/ann = *",
        "/host/a/users/bob = !",
        "/host/a/groups/wheel/ann = 1",
    ] {
        assert!(
            shown.lines().any(|known| known == line),
            "{line} is not in\n{shown}"
        );
    }
    let loader: TextLoader = [("p.mln", text)].into_iter().collect();
    let project = load(&loader, "p.mln", &LoadOptions::default()).project.unwrap();
    let host = project.hosts.at(0);
    let users: Vec<&str> = host.users.iter().map(|user| user.value.name.as_str()).collect();
    let members: Vec<&str> = host.groups[0]
        .value
        .members
        .iter()
        .map(|member| member.value.as_str())
        .collect();
    assert_eq!((users, members), (vec!["ann", "bob"], vec!["ann"]));
}

#[test]
fn both_ways_to_write_named_blocks_mean_the_same() {
    let short = "global { project p }\nswitch lan { }\nhost a { template t; network eth0 { switch lan } }\n\
                 host b { template t; network { eth0 { address dhcp } } }\n";
    let long = "global { project p }\nswitch { lan { } }\nhost { a { template t; network { eth0 { switch lan } } }\n\
                b { template t; network eth0 { address dhcp } } }\n";
    assert_eq!(values(short, |_| true), values(long, |_| true));
}

#[test]
fn switches_and_global_are_shown_too() {
    insta::assert_snapshot!(values("
global { project p; $net = 10.0.0; cluster { head node1 } }
switch lan { }
switch uml { hub }
host node10 { template t; xen; network eth0 { switch lan } }
host node2 { template t; xen; network eth1 { switch lan } }
", |path| !path.starts_with("/host")), @r#"
/global/$net = 10.0.0
/global/cluster/head = node1
/global/project = p
/switch/lan/bridge = lan.p
/switch/lan/hosts/node2 = eth1
/switch/lan/hosts/node10 = eth0
/switch/lan/xen = 1
/switch/uml/hub = 1
"#);
}

#[test]
fn hosts_come_in_natural_order() {
    let text = "global { project p }\nsuperclass c { template t }\nhost node10 { superclass c }\nhost node2 { superclass c }\n";
    let loader: TextLoader = [("p.mln", text)].into_iter().collect();
    let loaded = load(&loader, "p.mln", &LoadOptions::default());
    let shown = show(&loaded, Some("node10"));
    assert!(shown.iter().all(|(path, _)| path.starts_with("/host/node10/")));
    let names: Vec<String> = loaded
        .project
        .unwrap()
        .hosts
        .iter()
        .map(|host| host.name.to_string())
        .collect();
    assert_eq!(names, ["node2", "node10"]);
}

#[test]
fn ten_thousand_hosts_cost_ten_times_a_thousand() {
    let time = |count: u32| {
        let mut text = String::from(
            "global { project p }\nswitch lan { }\nsuperclass common { template t; memory 64M\n network eth0 { switch \
             lan; netmask 255.255.0.0 }\n users { ann *; bob * }\n startup {\n echo $hostname\n }\n}\n",
        );
        for number in 0..count {
            let (high, low) = (number / 250, number % 250 + 1);
            writeln!(
                text,
                "host node{number} {{ superclass common; network eth0 {{ address 10.0.{high}.{low} }} }}"
            )
            .unwrap();
        }
        let loader: TextLoader = [("p.mln", text)].into_iter().collect();
        let begin = Instant::now();
        let loaded = load(&loader, "p.mln", &LoadOptions::default());
        let shown = show(&loaded, None).len();
        let elapsed = begin.elapsed();
        let project = loaded.project.unwrap();
        assert_eq!(project.hosts.len(), count as usize);
        assert_eq!(project.hosts.at(7).startup[0].value, "echo node7");
        assert!(shown > count as usize * 8);
        elapsed
    };
    let thousand = time(1000).max(Duration::from_millis(20));
    let ten_thousand = time(10_000);
    // Linear would be ten; a quadratic step would make it a hundred. The rest is for a busy machine.
    assert!(ten_thousand < thousand * 40, "{thousand:?} and {ten_thousand:?}");
}
