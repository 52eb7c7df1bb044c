//! The guest's name servers: resolv.conf(5), replaced as a whole.

use std::fmt::Write as _;

use crate::base::{GuestPath, Origin, Sourced};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::{Host, InterfaceAddress, Renderer};

use super::HEAD;
use super::error::GuestError;
use super::target::{self, Target};

/// The file.
const PATH: &str = "/etc/resolv.conf";

/// The scripts that dhclient-script(8) reads before it does anything.
const DHCLIENT_HOOKS: &str = "/etc/dhcp/dhclient-enter-hooks.d";
const DHCLIENT_HOOK: &str = "/etc/dhcp/dhclient-enter-hooks.d/mln-image";

/// Writes `/etc/resolv.conf`, if the project names a server. A link to a file that a service of the guest makes at
/// start stays where `renderer` hands the servers to that service; elsewhere it is replaced by a file, since the
/// project's word would be lost otherwise.
pub(super) fn configure(
    host: &Host,
    renderer: Option<Renderer>,
    view: &dyn GuestView,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let Some(first) = host.nameservers.first().map(|server| &server.origin) else {
        return Ok(edits);
    };
    let mut content = String::new();
    let mut origins = Vec::new();
    if !host.search.is_empty() {
        let domains: Vec<&str> = host.search.iter().map(|domain| domain.value.as_str()).collect();
        writeln!(content, "search {}", domains.join(" ")).expect("writing to a string does not fail");
        origins.extend(host.search.iter().map(|domain| domain.origin.clone()));
        origins.dedup();
    }
    for server in &host.nameservers {
        writeln!(content, "nameserver {}", server.value).expect("writing to a string does not fail");
        origins.push(server.origin.clone());
    }
    let link = GuestPath::literal(PATH);
    let path = if target::is_volatile(&view.resolve(&link)?) {
        let is_told = matches!(
            renderer,
            Some(Renderer::Networkd | Renderer::Netplan | Renderer::NetworkManager | Renderer::Wicked)
        );
        if is_told && !host.interfaces.is_empty() {
            return Ok(edits);
        }
        let text = view.read_link(&link)?.unwrap_or_default();
        origins.push(Origin::implied(&format!(
            "instead of the link to `{}`, which is made anew at every start",
            String::from_utf8_lossy(&text)
        )));
        target::place(view, &link)?
    } else {
        Target::open(view, PATH)?.path
    };
    let mut edit = Edit::file(path, content, Attributes::default(), first.clone());
    edit.origins = origins;
    edits.extend(keep(host, renderer, view, &edit)?);
    edits.push(edit);
    Ok(edits)
}

/// Keeps dhclient from putting the servers that it hears of in the place of those that `edit` writes.
fn keep(
    host: &Host,
    renderer: Option<Renderer>,
    view: &dyn GuestView,
    edit: &Edit,
) -> Result<Option<Edit>, GuestError> {
    let asks = |address: &Option<Sourced<InterfaceAddress>>| {
        address
            .as_ref()
            .is_some_and(|address| address.value == InterfaceAddress::Dhcp)
    };
    let asks = renderer == Some(Renderer::Ifupdown)
        && host.interfaces.iter().any(|interface| asks(&interface.address));
    let hooks = view.resolve(&GuestPath::literal(DHCLIENT_HOOKS))?;
    if !asks || view.list(&hooks)?.is_none() {
        return Ok(None);
    }
    let text = format!("{HEAD}make_resolv_conf() {{ :; }}\n");
    let place = target::place(view, &GuestPath::literal(DHCLIENT_HOOK))?;
    let mut hook = Edit::file(place, text, Attributes::owned(0o644, 0, 0), host.origin.clone());
    hook.origins.clone_from(&edit.origins);
    Ok(Some(hook))
}
