//! What leaves the machine, and what comes: which machine this is, and where everything lies.

use super::Ctx;
use crate::bundle::{Home, Machine, machine};
use crate::error::{Error, Result};
use crate::evidence::Places;
use crate::lock::Lock;
use crate::profiles::last_use::LastUse;

impl Ctx {
    /// This machine. Its id is made where there is none.
    pub fn machine(&self, lock: &Lock) -> Result<Machine> {
        Ok(Machine {
            id: machine::id(&self.paths.manager_home, lock)?,
            hostname: self.hostname(),
        })
    }

    /// The id of this machine, where it has one.
    pub fn machine_id(&self) -> Option<String> {
        machine::known(&self.paths.manager_home)
    }

    /// Why its id cannot be read.
    pub fn fault_of_machine_id(&self) -> Option<Error> {
        machine::look(&self.paths.manager_home).err()
    }

    /// What a bundle is merged into; `heeds_removals` as in [`Home`].
    pub fn bundle_home<'a>(&self, places: &'a Places, heeds_removals: bool) -> Home<'a> {
        Home {
            places,
            now: self.now,
            latest: self.latest(),
            heeds_removals,
        }
    }

    /// That an account is used on this machine now.
    pub fn use_here(&self, lock: &Lock) -> Result<LastUse> {
        let machine = self.machine(lock)?;
        Ok(LastUse {
            machine: machine.id,
            hostname: machine.hostname,
            at: self.sighting(),
        })
    }
}
