//! Downloads and unpacks a Debian package without root: `apt-get download` (which checks the archive's signatures), then `dpkg -x`.

use std::path::Path;
use std::process::Command;

use crate::command;

/// Unpacks a package of this system's archive below `into`. The error is a clause with the reason.
pub(crate) fn unpack(package: &str, scratch: &Path, into: &Path) -> Result<(), String> {
    for tool in ["apt-get", "dpkg"] {
        if command::find(tool).is_none() {
            return Err(format!("this system has no {tool}"));
        }
    }
    let folder = scratch.join(format!("{package}.download"));
    super::clear(&folder).and_then(|()| super::create(&folder)).map_err(|failure| failure.to_string())?;
    let label = format!("setup: downloading Debian's package {package}");
    let download = || {
        let mut apt = Command::new("apt-get");
        apt.arg("download").arg(package).current_dir(&folder);
        command::quiet(&mut apt, &label, Some(&folder)).map_err(|failure| failure.to_string())
    };
    let mut finished = download()?;
    if !finished.status.success() && is_root() {
        // Containers often have no package lists, and run as root. Reading the lists does not change the system.
        let update =
            command::quiet(Command::new("apt-get").arg("update"), "setup: reading Debian's package lists", None);
        if update.is_ok_and(|update| update.status.success()) {
            finished = download()?;
        }
    }
    if !finished.status.success() {
        return Err(format!("apt-get download {package} failed: {}", finished.tail(1)));
    }
    let packed = std::fs::read_dir(&folder).ok().and_then(|entries| {
        entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|kind| kind == "deb"))
    });
    let Some(packed) = packed else { return Err(format!("apt-get download {package} left no package")) };
    super::create(into).map_err(|failure| failure.to_string())?;
    let unpacked = command::capture(Command::new("dpkg").arg("-x").arg(&packed).arg(into))
        .map_err(|failure| failure.to_string())?;
    if unpacked.status.success() { Ok(()) } else { Err(format!("dpkg cannot unpack {package}: {}", unpacked.tail(1))) }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|me| me.uid() == 0)
}
