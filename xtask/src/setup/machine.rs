//! Requirements of the machine: platform, compiler, disk space. They are checked before anything is downloaded.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{self, bytes};
use crate::failure::{Failure, Outcome};

/// The oldest glibc that the pinned wheels (manylinux_2_28) run on.
const GLIBC: (u32, u32) = (2, 28);

/// Checks for Linux with glibc 2.28 or newer on x86-64 or aarch64, the platform of the pinned libtorch.
pub(super) fn check_platform() -> Outcome<()> {
    let libc = if cfg!(target_env = "gnu") {
        "glibc"
    } else if cfg!(target_env = "musl") {
        "musl"
    } else {
        "its own C library"
    };
    platform(std::env::consts::OS, std::env::consts::ARCH, libc)?;
    let version = command::capture(Command::new("getconf").arg("GNU_LIBC_VERSION")).ok();
    match version.as_ref().and_then(|printed| glibc_version(&printed.output)) {
        Some(found) if found < GLIBC => Err(Failure::new(format!(
            "this system has glibc {}.{}, but libtorch 2.11.0 needs {}.{} or newer",
            found.0, found.1, GLIBC.0, GLIBC.1
        ))
        .hint("use a newer release of the system, or a container of one (Debian 10, Ubuntu 20.04, RHEL 8 or later)")),
        // Without getconf, the linker reports the problem.
        _ => Ok(()),
    }
}

fn platform(os: &str, arch: &str, libc: &str) -> Outcome<()> {
    if os == "linux" && libc == "glibc" && matches!(arch, "x86_64" | "aarch64") {
        return Ok(());
    }
    Err(Failure::new(format!(
        "libtorch is not available for {os} on {arch} with {libc}; Linux with glibc on x86-64 or aarch64 is supported"
    ))
    .hint("if you have a libtorch 2.11.0 for this platform, set LIBTORCH to its folder and run the command again"))
}

/// "glibc 2.36" -> (2, 36)
fn glibc_version(printed: &str) -> Option<(u32, u32)> {
    let (major, minor) = printed.trim().rsplit(' ').next()?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Checks for make, which builds libjpeg-turbo.
pub(super) fn check_make() -> Outcome<()> {
    if command::find("make").is_some() {
        return Ok(());
    }
    Err(Failure::new("no make on the PATH; it is needed to build libjpeg-turbo")
        .hint(format!("install it: {}", install_line("make"))))
}

/// Checks for a C++17 compiler with its standard library.
pub(super) fn check_compiler() -> Outcome<()> {
    let named = std::env::var("CXX").ok().filter(|name| !name.trim().is_empty());
    let compiler = match &named {
        // CXX may contain arguments, or a launcher such as ccache before the compiler.
        Some(line) => line.split_whitespace().map(str::to_owned).collect(),
        None => match ["c++", "g++", "clang++"].into_iter().find(|name| command::find(name).is_some()) {
            Some("c++") => vec!["c++".to_owned()],
            Some(other) => {
                return Err(Failure::new(format!(
                    "the build needs a C++ compiler named c++, but only {other} is installed"
                ))
                .hint(format!("export CXX={other}")));
            }
            None => {
                return Err(Failure::new("no C++ compiler (c++, g++ or clang++) on the PATH")
                    .hint(format!("install one: {}", install_line("g++"))));
            }
        },
    };
    let Some((program, arguments)) = compiler.split_first() else { return Ok(()) };
    let works = Command::new(program)
        .args(arguments)
        .args(["-std=c++17", "-fsyntax-only", "-x", "c++", "-include", "optional", "-include", "memory", "/dev/null"])
        .stdin(Stdio::null())
        .output();
    match works {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Failure::new(format!(
                "the C++ compiler {program} cannot compile an empty C++17 file: {}",
                said.lines().next().unwrap_or("no output")
            ))
            .hint(format!("install a complete compiler: {}", install_line("g++"))))
        }
        Err(error) => Err(Failure::new(format!("the C++ compiler {program} (from CXX) cannot be started: {error}"))
            .hint("unset CXX, or set it to an installed compiler")),
    }
}

/// Free bytes for this user on the disk of `folder`; `None` if unknown.
pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Checks for sufficient disk space.
pub(super) fn check_space(folder: &Path, needed: u64) -> Outcome<()> {
    space(free_space(folder), needed)
}

fn space(free: Option<u64>, needed: u64) -> Outcome<()> {
    match free {
        Some(free) if free < needed => Err(Failure::new(format!(
            "setup needs {} of free disk space in .mochi, but only {} are free",
            bytes(needed),
            bytes(free)
        ))
        .hint("free disk space, or make .mochi a link to a folder on a larger disk: ln -s /large/disk/mochi .mochi")),
        _ => Ok(()),
    }
}

/// The command that installs a package on this system, with the system's name of the package.
pub(crate) fn install_line(package: &str) -> String {
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    install_line_on(&system, package)
}

fn install_line_on(os_release: &str, package: &str) -> String {
    let field = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let family = format!("{} {}", field("ID"), field("ID_LIKE"));
    let is = |name: &str| family.split_whitespace().any(|word| word == name);
    let python = matches!(package, "python3" | "python3-pip");
    if is("fedora") || is("rhel") || is("centos") {
        format!("sudo dnf install -y {}", if package == "g++" { "gcc-c++" } else { package })
    } else if is("arch") {
        let name = if package == "g++" { "gcc" } else { package };
        format!("sudo pacman -S --needed {}", if python { name.replace("python3", "python") } else { name.to_owned() })
    } else if is("suse") || is("opensuse") {
        format!("sudo zypper install {}", if package == "g++" { "gcc-c++" } else { package })
    } else if is("alpine") {
        format!("sudo apk add {}", if package == "python3-pip" { "py3-pip" } else { package })
    } else {
        format!("sudo apt-get install -y {package}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_platforms_with_a_wheel_pass() {
        assert!(platform("linux", "x86_64", "glibc").is_ok());
        assert!(platform("linux", "aarch64", "glibc").is_ok());
        for (os, arch, libc) in
            [("macos", "aarch64", "its own C library"), ("linux", "x86_64", "musl"), ("linux", "riscv64", "glibc")]
        {
            let failure = platform(os, arch, libc).expect_err("no wheel for it").to_string();
            assert!(failure.contains(os) && failure.contains(arch) && failure.contains("hint: "), "{failure}");
        }
    }

    #[test]
    fn glibc_is_read_from_getconf() {
        assert_eq!(glibc_version("glibc 2.36\n"), Some((2, 36)));
        assert_eq!(glibc_version("musl libc\n"), None);
        assert!(glibc_version("glibc 2.9\n") < Some(GLIBC));
    }

    #[test]
    fn too_little_space_names_both_amounts() {
        assert!(space(Some(3_000_000_000), 2_600_000_000).is_ok());
        assert!(space(None, 2_600_000_000).is_ok());
        let failure = space(Some(700_000_000), 2_600_000_000).expect_err("too little").to_string();
        assert!(
            failure.starts_with(
                "error: setup needs 2.6 GB of free disk space in .mochi, but only 700 MB are free\nhint: "
            ),
            "{failure}"
        );
    }

    #[test]
    fn the_install_line_speaks_the_systems_language() {
        let debian = "ID=debian\nVERSION_ID=\"12\"\n";
        let ubuntu = "ID=ubuntu\nID_LIKE=debian\n";
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        assert_eq!(install_line_on(debian, "g++"), "sudo apt-get install -y g++");
        assert_eq!(install_line_on(ubuntu, "python3-pip"), "sudo apt-get install -y python3-pip");
        assert_eq!(install_line_on(rocky, "g++"), "sudo dnf install -y gcc-c++");
        assert_eq!(install_line_on("ID=arch\n", "python3-pip"), "sudo pacman -S --needed python-pip");
        assert_eq!(install_line_on("", "nasm"), "sudo apt-get install -y nasm");
    }
}
