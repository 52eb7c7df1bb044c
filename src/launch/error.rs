//! What stands against a machine's definition.

use crate::base::Origin;
use crate::project::MacError;

/// Says why a machine cannot be defined as its project asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// Two interfaces of the project have the same hardware address.
    #[error(transparent)]
    Mac(#[from] MacError),
    /// An interface is plugged into a switch that the project has not.
    #[error("the project has no switch `{switch}` ({origin})")]
    UnknownSwitch {
        /// The switch.
        switch: String,
        /// The project's line.
        origin: Origin,
    },
    /// A switch's socket outside the project is of no use to a platform.
    #[error("the socket `{socket}` is for User-Mode Linux, and the host runs on {platform} ({origin})")]
    SocketElsewhere {
        /// The socket.
        socket: String,
        /// The host's platform.
        platform: &'static str,
        /// The project's line.
        origin: Origin,
    },
    /// A bridge cannot be called so.
    #[error("`{bridge}` cannot be the name of a bridge: 1 to 15 letters, digits and `.:_-` ({origin})")]
    BridgeName {
        /// The name.
        bridge: String,
        /// The project's line.
        origin: Origin,
    },
    /// The guest would call an interface otherwise than the project does.
    #[error("the guest will call `{interface}` `{expected}`: interfaces are eth0, eth1 and so on ({origin})")]
    InterfaceName {
        /// The project's name.
        interface: String,
        /// The guest's name.
        expected: String,
        /// The project's line.
        origin: Origin,
    },
    /// A path has characters that the platform's configuration cannot hold.
    #[error("`{path}` has a comma or a control character, which {platform} cannot take ({origin})")]
    Path {
        /// The path.
        path: String,
        /// The host's platform.
        platform: &'static str,
        /// The project's line.
        origin: Origin,
    },
    /// A host has more disks than letters to name them.
    #[error("{count} disks, and a host has {limit} at most ({origin})")]
    TooManyDisks {
        /// How many there would be.
        count: usize,
        /// How many there can be.
        limit: usize,
        /// Where the host's block begins.
        origin: Origin,
    },
}
