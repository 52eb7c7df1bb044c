//! The bundled plugins that configure guests, on a guest in memory; every edit is convergent, which the helper holds.

use crate::support::debian::debian;
use crate::support::memory_guest::MemoryGuest;
use crate::support::plugins::{edits, faults};

/// Host `a`, with `lines` in its block, configured by the plugins in `guest`.
fn configured(lines: &str, guest: &MemoryGuest) -> MemoryGuest {
    let text = format!("global {{ project p }}\nhost a {{\n  template t\n{lines}\n}}\n");
    guest.applied(&edits(&text, &[], "a", guest).unwrap())
}

#[test]
fn ssh_key_lets_people_in() {
    let mut guest = debian();
    guest.directory("/var/www");
    for name in ["ssh_key", "sshkey"] {
        let lines = format!("  {name} {{\n    root ssh-ed25519 AAAA ann@b\n    www-data ssh-rsa BBBB\n  }}");
        let after = configured(&lines, &guest);
        assert_eq!(
            after.text("/root/.ssh/authorized_keys"),
            "ssh-ed25519 AAAA ann@b\n"
        );
        assert_eq!(
            after.changes_since(&guest),
            "+ d0700 0:0 /root/.ssh\n+ -0600 0:0 /root/.ssh/authorized_keys\n+ d0700 33:33 /var/www/.ssh\n+ -0600 33:33 \
             /var/www/.ssh/authorized_keys\n"
        );
    }
    let text = "global { project p }\nhost a { template t; ssh_key { eve ssh-rsa A } }\n";
    assert_eq!(
        edits(text, &[], "a", &guest).unwrap_err(),
        "plugin `ssh_key` failed in `configure`: there is no account `eve` in the guest (bundled ssh_key.lua:15), \
         asked for by p.mln:2: host a { template t; ssh_key { eve ssh-rsa A } }"
    );
}

#[test]
fn internal_swap_makes_a_swap_area() {
    let after = configured("  internalswap 64K", &debian());
    assert!(
        after
            .text("/etc/fstab")
            .ends_with("\n/swapfile none swap sw 0 0\n")
    );
    let swap = after.text("/swapfile");
    assert_eq!(swap.len(), 64 << 10);
    assert_eq!(&swap[4086..4096], "SWAPSPACE2");
    assert_eq!(&swap.as_bytes()[1024..1032], [1, 0, 0, 0, 15, 0, 0, 0]);
}

#[test]
fn hosts_file_takes_the_addresses_of_a_switch() {
    let text = "global { project p; hostsFile { switch lan; domain example.org } }\nswitch lan { }\nsuperclass s { \
                template t; network eth0 { address dhcp }; network eth1 { switch lan; netmask 255.255.255.0 } }\nhost \
                a { superclass s; network eth1 { address 10.0.0.1 } }\nhost b { superclass s; network eth1 { address \
                10.0.0.2 } }\n";
    let guest = debian();
    let after = guest.applied(&edits(text, &[], "a", &guest).unwrap());
    assert!(after.text("/etc/hosts").ends_with(
        "# begin hosts_file\n10.0.0.1 a.example.org a\n10.0.0.2 b.example.org b\n# end hosts_file\n"
    ));
    assert!(faults(&text.replace("switch lan;", "switch lna;"), &[]).contains("switch `lna` is not defined"));
}

#[test]
fn apache_gets_its_document_root() {
    let mut guest = debian();
    guest.file(
        "/etc/apache2/sites-available/000-default.conf",
        "<VirtualHost *:80>\n\tDocumentRoot /var/www/html\n</VirtualHost>\n",
    );
    let after = configured(
        "  apache { DocumentRoot /srv/www; ServerName www.example.org }",
        &guest,
    );
    assert_eq!(
        after.text("/etc/apache2/sites-available/000-default.conf"),
        "<VirtualHost *:80>\n\tDocumentRoot /srv/www\n\tServerName www.example.org\n</VirtualHost>\n# begin \
         apache\n<IfModule mod_authz_core.c>\n<Directory /srv/www>\n    Require all \
         granted\n</Directory>\n</IfModule>\n# end apache\n"
    );
}

#[test]
fn postfix_gets_its_parameters() {
    let mut guest = debian();
    guest.file(
        "/etc/postfix/main.cf",
        "# postfix\nrelayhost =\nmynetworks = 127.0.0.0/8\n  [::1]/128\ninet_interfaces = all\n",
    );
    let after = configured(
        "  postfix { relayhost mail.example.org; mynetworks 10.0.0.0/8; myorigin a }",
        &guest,
    );
    assert_eq!(
        after.text("/etc/postfix/main.cf"),
        "# postfix\nrelayhost = mail.example.org\nmynetworks = 10.0.0.0/8\ninet_interfaces = all\nmyorigin = a\n"
    );
}

#[test]
fn puppet_gets_its_node() {
    let mut guest = debian();
    guest.file(
        "/etc/puppet/puppet.conf",
        "[main]\nssldir = /var/lib/puppet/ssl\n[master]\nx = y\n",
    );
    let after = configured(
        "  puppet { nodename web; server pm.example.org; include { apache; ntp } }",
        &guest,
    );
    assert_eq!(
        after.text("/etc/puppet/puppet.conf"),
        "[main]\nssldir = /var/lib/puppet/ssl\ncertname = web\nserver = pm.example.org\n[master]\nx = y\n"
    );
    assert_eq!(
        after.text("/etc/puppet/manifests/site.pp"),
        "# begin puppet\nnode 'web' {\n  include apache\n  include ntp\n}\n# end puppet\n"
    );
}

#[test]
fn cluster_has_a_head_and_nodes() {
    let text = "global { project p; cluster { head b } }\nsuperclass s { template t }\nhost a { superclass s }\nhost b { \
                superclass s }\n";
    let guest = debian();
    let node = guest.applied(&edits(text, &[], "a", &guest).unwrap());
    assert_eq!(node.text("/var/spool/torque/server_name"), "b\n");
    assert_eq!(node.text("/etc/auto.home"), "* b:/home/&\n");
    let head = guest.applied(&edits(text, &[], "b", &guest).unwrap());
    assert_eq!(head.text("/var/spool/torque/server_priv/nodes"), "a\nb\n");
    assert_eq!(head.text("/etc/exports"), "/home a(rw,root_squash)\n");
    insta::assert_snapshot!(faults(&text.replace("head b", "head c"), &[]), @r#"
error[plugin]: cluster: the head `c` is no host of the project
 --> p.mln:1:31
  |
1 | global { project p; cluster { head c } }
  |                               ^^^^^^
  |
  = hint: the hosts are `a` to `b`
"#);
}
