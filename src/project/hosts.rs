//! The hosts of a project. A project may have very many, each of which inherits most of what it is: so what is held is what
//! each says itself, and a host is made from that when it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::host::Builder;
use super::inherit::{Effective, Member};
use super::model::{Host, HostName, Platform};
use super::origins::Origins;
use super::settings::Settings;
use super::values::Values;
use super::wording::Problems;

/// Changes a host after it was made.
type Alteration = Arc<dyn Fn(&mut Host) + Send + Sync>;

/// The hosts of a project, sorted by name in natural order (`node2` before `node10`), each made when it is asked for.
#[derive(Clone)]
pub struct Hosts {
    material: Material,
    alterations: Vec<Alteration>,
    /// What runs the hosts that are plugged into each switch, once somebody has asked.
    platforms: OnceLock<BTreeMap<String, BTreeSet<Platform>>>,
}

/// What hosts are made from.
#[derive(Clone)]
enum Material {
    /// The blocks of a text, and the place of each host's among them.
    Described(Arc<Description>, Arc<[u32]>),
    /// The hosts themselves.
    Given(Arc<[Host]>),
}

/// What a text says of hosts.
struct Description {
    effective: Arc<Effective>,
    origins: Arc<Origins>,
    settings: Settings,
}

impl Hosts {
    /// Those hosts of `effective` whose places in the text are in `order`; nothing can be wrong with them that was not told.
    pub(super) fn described(
        effective: Arc<Effective>,
        origins: Arc<Origins>,
        settings: Settings,
        order: Vec<u32>,
    ) -> Self {
        let description = Description {
            effective,
            origins,
            settings,
        };
        Self::new(Material::Described(Arc::new(description), order.into()))
    }

    fn new(material: Material) -> Self {
        Self {
            material,
            alterations: Vec::new(),
            platforms: OnceLock::new(),
        }
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        match &self.material {
            Material::Described(_, order) => order.len(),
            Material::Given(hosts) => hosts.len(),
        }
    }

    /// Whether there is no host.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The host at `place`, from 0.
    ///
    /// # Panics
    /// If there are fewer hosts.
    pub fn at(&self, place: usize) -> Host {
        self.make(place)
            .expect("a host that could not be made was reported, and is not among these")
    }

    /// The host at `place`; `None` only in a project with errors.
    fn make(&self, place: usize) -> Option<Host> {
        let mut host = match &self.material {
            Material::Described(description, order) => description.host(order[place]),
            Material::Given(hosts) => Some(hosts[place].clone()),
        };
        if let Some(host) = &mut host {
            self.alterations.iter().for_each(|alter| alter(host));
        }
        host
    }

    /// All hosts.
    pub fn iter(&self) -> impl Iterator<Item = Host> {
        (0..self.len()).filter_map(|place| self.make(place))
    }

    /// The name of the host at `place`, from 0.
    ///
    /// # Panics
    /// If there are fewer hosts.
    pub fn name_at(&self, place: usize) -> HostName {
        match &self.material {
            Material::Described(description, order) => description.name(order[place]),
            Material::Given(hosts) => hosts[place].name.clone(),
        }
    }

    /// The names of all hosts.
    pub fn names(&self) -> impl ExactSizeIterator<Item = HostName> {
        (0..self.len()).map(|place| self.name_at(place))
    }

    /// Has `alter` change every host as it is made.
    pub fn alter(&mut self, alter: impl Fn(&mut Host) + Send + Sync + 'static) {
        self.alterations.push(Arc::new(alter));
        self.platforms = OnceLock::new();
    }

    /// What runs the hosts that are plugged into `switch`.
    pub fn platforms_on(&self, switch: &str) -> impl Iterator<Item = Platform> {
        let known = self.platforms.get_or_init(|| {
            let mut known: BTreeMap<String, BTreeSet<Platform>> = BTreeMap::new();
            for host in self.iter() {
                let plugs = host
                    .interfaces
                    .into_iter()
                    .filter_map(|interface| interface.switch);
                for switch in plugs {
                    known.entry(switch.value).or_default().insert(host.platform.value);
                }
            }
            known
        });
        known.get(switch).into_iter().flatten().copied()
    }
}

impl Description {
    /// The host whose block is at `place` of the text; `None` only in a project with errors.
    fn host(&self, place: u32) -> Option<Host> {
        let member = self.effective.known_host(place as usize);
        let mut unheard = Problems::new(false);
        let mut values = Values::new(&self.origins, &mut unheard);
        build(&member, &self.effective, &self.settings, &mut values)
    }

    fn name(&self, place: u32) -> HostName {
        let name = self.effective.host_name(place as usize);
        HostName::shared(name.text).expect("the name of a host that could be made was checked")
    }
}

impl FromIterator<Host> for Hosts {
    fn from_iter<I: IntoIterator<Item = Host>>(hosts: I) -> Self {
        Self::new(Material::Given(hosts.into_iter().collect()))
    }
}

/// The host `member` of `effective`; `None` if it cannot be made, which is reported.
pub(super) fn build(
    member: &Member,
    effective: &Effective,
    settings: &Settings,
    values: &mut Values<'_>,
) -> Option<Host> {
    let mut builder = Builder {
        values,
        settings,
        global: &effective.global,
    };
    builder.host(member)
}

impl fmt::Debug for Hosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}
