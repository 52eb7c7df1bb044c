//! Which of a project's hosts are baked: all, some by name, or one of several even parts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::base::digest::Sha256Digest;
use crate::project::HostName;

/// Which of a project's hosts are baked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// All of them.
    #[default]
    All,
    /// Those of these names.
    Hosts(BTreeSet<String>),
    /// One part of several.
    Shard(Shard),
}

/// One of `count` parts of a project. Which part a host belongs to depends on its name alone, so that it stays there
/// whatever hosts come and go, and the parts of any number of machines together are the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    index: u64,
    /// How many parts there are.
    count: u64,
}

impl Selection {
    /// Whether `host` is among them.
    pub fn has(&self, host: &HostName) -> bool {
        match self {
            Self::All => true,
            Self::Hosts(names) => names.contains(host.as_str()),
            Self::Shard(shard) => shard.has(host),
        }
    }
}

impl Shard {
    /// Whether `host` belongs to this part.
    fn has(self, host: &HostName) -> bool {
        Sha256Digest::of(host.as_str().as_bytes()).head() % self.count == self.index - 1
    }
}

/// Says that a text names no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has to have the form I/N, I from 1 to N")]
pub struct ShardError;

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, count) = text.split_once('/').ok_or(ShardError)?;
        let number = |text: &str| text.parse::<u32>().map(u64::from).map_err(|_| ShardError);
        let (index, count) = (number(index)?, number(count)?);
        if (1..=count).contains(&index) {
            Ok(Self { index, count })
        } else {
            Err(ShardError)
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_belongs_to_one_part() {
        let hosts: Vec<HostName> = (0..500)
            .map(|number| HostName::new(&format!("node{number}")).unwrap())
            .collect();
        for count in [1, 2, 7] {
            let shards: Vec<Shard> = (1..=count)
                .map(|index| format!("{index}/{count}").parse().unwrap())
                .collect();
            for host in &hosts {
                assert_eq!(shards.iter().filter(|shard| shard.has(host)).count(), 1);
            }
            let sizes = shards
                .iter()
                .map(|shard| hosts.iter().filter(|host| shard.has(host)).count());
            assert!(sizes.min() >= Some(500 / count / 2), "{count}");
        }
    }

    #[test]
    fn a_part_is_two_numbers() {
        assert_eq!("2/3".parse::<Shard>().unwrap().to_string(), "2/3");
        for wrong in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5"] {
            assert_eq!(wrong.parse::<Shard>(), Err(ShardError), "{wrong}");
        }
    }
}
