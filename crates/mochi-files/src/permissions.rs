//! Permissions of the files that are written.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

/// Permissions of a file are its mode without the bits that change who runs it.
pub(crate) fn plain_permissions(mode: u32) -> Permissions {
    Permissions::from_mode(mode & 0o777)
}
