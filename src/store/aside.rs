//! What goes: a whole project, or hosts that it has no more but whose files are to be kept.

use std::fs;

use super::error::StoreError;
use super::workspace::{Workspace, make_directory};
use crate::base::PathError;
use crate::project::HostName;

impl Workspace {
    /// Lays the files of a host that the project has no more aside, where no bake looks for them.
    pub fn set_aside(&self, host: &HostName) -> Result<(), StoreError> {
        let from = self.places().host(host);
        let removed = self.places().removed();
        make_directory(&removed)?;
        let names = (1..).map(|number| match number {
            1 => host.to_string(),
            _ => format!("{host}.{number}"),
        });
        let mut places = names.map(|name| removed.join(name));
        let to = places.find(|place| !place.exists()).unwrap_or_default();
        self.unseal()?;
        fs::rename(from.directory(), &to).map_err(PathError::on("rename", from.directory()))?;
        Ok(())
    }

    /// Removes the project with everything in its directory.
    pub fn remove(self) -> Result<(), StoreError> {
        // From here on the project is none, even if the rest does not go.
        self.unseal()?;
        let directory = self.places().directory();
        fs::remove_dir_all(&directory).map_err(PathError::on("remove the directory", &directory))?;
        let lock = self.places().lock();
        fs::remove_file(&lock).map_err(PathError::on("remove", &lock))?;
        Ok(())
    }
}
