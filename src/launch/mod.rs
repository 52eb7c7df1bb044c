//! How a host is started: its definition first, a pure value, then the files that a platform's own programs read.
//!
//! ```text
//!   (Project, Host, LaunchSettings) --specify--> DomainSpec --files--> xl.cfg, start, stop
//! ```
//!
//! The scripts are POSIX shell, work from the directory they lie in, and need nothing of this program.
//!
//! All definitions of a project together lie in `launch.json`, from which [`run`] starts, stops and watches machines:
//!
//! ```text
//!   ProjectSpec --run--> switches, then machines by boot order --ready--> up, or the last lines of the console
//! ```

mod command;
mod console;
mod error;
mod net;
mod process;
mod project_spec;
mod qemu;
mod quote;
pub mod run;
mod runtime;
mod script;
mod spec;
mod survey;
mod uml;
mod unit;
mod xen;

use std::path::PathBuf;
use std::sync::Arc;

pub use command::{CommandLine, LaunchHost};
pub use error::LaunchError;
pub use project_spec::{FORMAT, ProjectSpec, SwitchKind, SwitchSpec, runtime_name};
pub use spec::{Attachment, Disk, DomainSpec, Firmware, Kernel, Vif};
pub use survey::{Provision, survey};
pub use unit::UnitOrder;

use crate::base::Origin;
use crate::project::{
    DiskUse, ExtraMount, Host, ImageFormat, Interface, InterfaceAddress, MacTable, Platform, Project,
};

/// What a definition depends on beside the project: the server's files and bridges.
#[derive(Debug, Clone)]
pub struct LaunchSettings {
    /// The machine's own directory, absolute; that above it is the project's.
    pub directory: PathBuf,
    /// The name of the root image in that directory.
    pub root_image: String,
    /// The partition of the root image that is the root; `None` where the image is no whole disk.
    pub root_partition: Option<u32>,
    /// By what the root image can start itself, as far as is known.
    pub firmware: Option<Firmware>,
    /// The root image's format.
    pub root_format: ImageFormat,
    /// The name of the swap image in that directory.
    pub swap_image: String,
    /// The User-Mode Linux program, for hosts that name no kernel.
    pub uml_kernel: String,
    /// The kernel for Xen and QEMU, for hosts that name none.
    pub kernel: String,
    /// The initial ramdisk that belongs to that kernel.
    pub ramdisk: Option<String>,
    /// The bridge to the local network, for interfaces that name neither bridge nor switch.
    pub lan_bridge: String,
    /// The hardware address of every interface of the project; `None` makes them from the names.
    pub macs: Option<Arc<MacTable>>,
}

impl LaunchSettings {
    /// The settings of a Debian server without configuration, for the machine in `directory`: its newest kernel, by
    /// the links that Debian keeps, and Xen's usual bridge.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            root_image: "root.img".to_owned(),
            root_format: ImageFormat::Raw,
            root_partition: None,
            firmware: None,
            swap_image: "swap.img".to_owned(),
            uml_kernel: "linux.uml".to_owned(),
            kernel: "/vmlinuz".to_owned(),
            ramdisk: Some("/initrd.img".to_owned()),
            lan_bridge: "xenbr0".to_owned(),
            macs: None,
        }
    }
}

/// A file beside a machine's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchFile {
    /// Its name in the machine's directory.
    pub name: &'static str,
    /// Its permission bits.
    pub mode: u16,
    /// Its text.
    pub content: String,
}

/// How many disks a host may have: one for each letter of the alphabet.
const LIMIT_DISKS: usize = 26;

/// Defines the machine `host` of `project`.
pub fn specify(project: &Project, host: &Host, settings: &LaunchSettings) -> Result<DomainSpec, LaunchError> {
    let disks = disks(host, settings)?;
    let kernel = kernel(host, settings)?;
    Ok(DomainSpec {
        project: project.name.clone(),
        host: host.name.clone(),
        platform: host.platform.value,
        order: host.boot_order.value,
        server: host.service_host.as_ref().map(|server| server.value.clone()),
        directory: settings.directory.clone(),
        runtime: runtime_name(
            &project.name,
            settings.directory.parent().unwrap_or(&settings.directory),
        ),
        run_as: host.run_as.as_ref().map(|user| user.value.clone()),
        image_group: host.image_group.as_ref().map(|group| group.value.clone()),
        nice: host.nice.as_ref().map(|nice| nice.value),
        memory_mib: host.memory.value.0.div_ceil(1 << 20),
        vcpus: host.vcpus.as_ref().map(|count| count.value),
        firmware: settings
            .firmware
            .filter(|_| host.platform.value == Platform::Qemu && kernel.is_none()),
        kernel,
        vifs: vifs(project, host, settings)?,
        disks,
        terminal: host.term.value,
        extra: host.xen_extra.iter().map(|line| line.value.clone()).collect(),
    })
}

/// Everything that it takes to start `project`, whose machines are `hosts`.
pub fn project_spec(project: &Project, hosts: Vec<DomainSpec>) -> ProjectSpec {
    ProjectSpec {
        format: FORMAT,
        project: project.name.clone(),
        switches: net::switches(project),
        hosts,
        hooks: project.hooks.clone(),
        persist: project.persist,
        directory: PathBuf::new(),
    }
}

/// The files by which the machine is started and stopped.
pub fn files(spec: &DomainSpec) -> Vec<LaunchFile> {
    match spec.platform {
        Platform::Xen | Platform::XenHvm => xen::files(spec),
        Platform::Uml => uml::files(spec),
        Platform::Qemu => qemu::files(spec),
    }
}

/// The host's disks, in the order that its guest's table of file systems goes by.
fn disks(host: &Host, settings: &LaunchSettings) -> Result<Vec<Disk>, LaunchError> {
    let uses = host.disks();
    if uses.len() > LIMIT_DISKS {
        return Err(LaunchError::TooManyDisks {
            count: uses.len(),
            limit: LIMIT_DISKS,
            origin: host.origin.clone(),
        });
    }
    let platform = host.platform.value;
    let devices = platform.root_device();
    let mut disks = Vec::with_capacity(uses.len());
    for (index, disk) in uses.into_iter().enumerate() {
        let image = match disk {
            DiskUse::Root => &settings.root_image,
            DiskUse::Swap => &settings.swap_image,
            DiskUse::Mount(mount) => &mount.source,
        };
        disks.push(Disk {
            image: path(image, platform, &host.origin)?,
            format: match disk {
                DiskUse::Root => settings.root_format,
                DiskUse::Swap | DiskUse::Mount(_) => ImageFormat::Raw,
            },
            device: devices.disk(index),
            read_only: matches!(disk, DiskUse::Mount(mount) if is_read_only(mount)),
        });
    }
    Ok(disks)
}

/// Whether the guest only reads a further disk.
fn is_read_only(mount: &ExtraMount) -> bool {
    mount.file_system == "iso9660" || mount.options.split(',').any(|option| option == "ro")
}

/// The kernel and its command line. A ramdisk belongs to its kernel, so that a host's own kernel never gets the
/// server's ramdisk.
fn kernel(host: &Host, settings: &LaunchSettings) -> Result<Option<Kernel>, LaunchError> {
    let platform = host.platform.value;
    let own = host.kernel.as_ref().map(|kernel| &kernel.value);
    let (default, default_ramdisk) = match platform {
        Platform::Uml => (Some(&settings.uml_kernel), None),
        // A disk that can start itself does.
        Platform::Qemu if settings.firmware.is_some() => (None, None),
        Platform::Xen | Platform::Qemu => (Some(&settings.kernel), settings.ramdisk.as_ref()),
        // A fully virtual machine may have its own boot loader.
        Platform::XenHvm => (None, None),
    };
    let Some(file) = own.or(default) else {
        return Ok(None);
    };
    let ramdisk = host.ramdisk.as_ref().map(|ramdisk| &ramdisk.value);
    let ramdisk = ramdisk.or(default_ramdisk.filter(|_| own.is_none()));
    let console = match platform {
        Platform::Xen => "hvc0",
        Platform::XenHvm | Platform::Uml | Platform::Qemu => "ttyS0",
    };
    let disk = platform.root_device().disk(0);
    let root = settings
        .root_partition
        .map_or_else(|| disk.clone(), |number| format!("{disk}{number}"));
    let mut arguments = vec![
        format!("console={console}"),
        format!("root={root}"),
        "rw".to_owned(),
    ];
    if platform != Platform::Uml {
        arguments.push("net.ifnames=0".to_owned());
    }
    let checked = |file: &String| path(file, Platform::Xen, &host.origin);
    Ok(Some(Kernel {
        file: checked(file)?,
        ramdisk: ramdisk.map(checked).transpose()?,
        arguments,
    }))
}

/// The interfaces by number, so that the guest calls them as the project does.
fn vifs(project: &Project, host: &Host, settings: &LaunchSettings) -> Result<Vec<Vif>, LaunchError> {
    let macs = match &settings.macs {
        Some(macs) => Arc::clone(macs),
        None => Arc::new(MacTable::assign(project, None)?),
    };
    let mut interfaces: Vec<(Option<u32>, &Interface)> = host
        .interfaces
        .iter()
        .filter(|interface| interface.vlan.is_none())
        .map(|interface| (ethernet_number(&interface.name), interface))
        .collect();
    interfaces.sort_by_key(|(number, _)| number.unwrap_or(u32::MAX));
    let mut vifs = Vec::with_capacity(interfaces.len());
    for (place, (number, interface)) in (0_u32..).zip(interfaces) {
        // User-Mode Linux names interfaces itself; the others count them.
        let fits = number == Some(place) || (host.platform.value == Platform::Uml && number.is_some());
        if !fits {
            return Err(LaunchError::InterfaceName {
                interface: interface.name.clone(),
                expected: format!("eth{place}"),
                origin: interface.origin.clone(),
            });
        }
        vifs.push(Vif {
            name: interface.name.clone(),
            mac: macs.get(host, interface),
            address: match interface.address.as_ref().map(|address| address.value) {
                Some(InterfaceAddress::Static(address)) => Some(address),
                _ => None,
            },
            attachment: net::attachment(project, host, interface, settings)?,
        });
    }
    Ok(vifs)
}

/// The number in a name like `eth0`.
fn ethernet_number(name: &str) -> Option<u32> {
    let number = name.strip_prefix("eth")?;
    let is_plain = number == "0" || !number.starts_with(['0', '+']);
    number.parse().ok().filter(|_| is_plain)
}

/// `path`, if the platform's configuration can hold it.
fn path(path: &str, platform: Platform, origin: &Origin) -> Result<String, LaunchError> {
    let comma = platform == Platform::Uml && path.contains(',');
    if comma || path.contains(char::is_control) {
        return Err(LaunchError::Path {
            path: path.to_owned(),
            platform: platform.name(),
            origin: origin.clone(),
        });
    }
    Ok(path.to_owned())
}
