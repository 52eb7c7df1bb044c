//! Where a registry is: which host answers for its name, and whether that is this machine.

use std::net::IpAddr;

/// The host that the registry called `registry` answers at.
pub(super) fn host_of(registry: &str) -> &str {
    match registry {
        "docker.io" => "registry-1.docker.io",
        other => other,
    }
}

/// Whether `registry` is on this machine.
pub(super) fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => registry.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for (registry, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:80", true),
            ("127.9.9.9", true),
            ("[::1]:5000", true),
            ("[::2]", false),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org:5000", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(registry), expected, "{registry}");
        }
    }
}
