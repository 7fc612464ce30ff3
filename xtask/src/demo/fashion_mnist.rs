//! Fashion-MNIST: the system's copy, otherwise Debian's package unpacked without root, otherwise the publisher's files. Checksums are those of the
//! uncompressed content, because Debian's `.gz` files have the same content but different headers.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::say;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup;

/// The four files and the SHA-256 of their uncompressed content.
const FILES: [(&str, &str); 4] = [
    ("train-images-idx3-ubyte.gz", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    ("train-labels-idx1-ubyte.gz", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    ("t10k-images-idx3-ubyte.gz", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    ("t10k-labels-idx1-ubyte.gz", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
];
/// The authors' address for the files. Their other address has no TLS.
const PUBLISHED: &str = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion";
/// Debian's package, and the folder of its files below the root.
const PACKAGE: (&str, &str) = ("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist");

/// The folder with the four files, if the system or an earlier demo has them.
pub(super) fn installed(place: &Place) -> Option<PathBuf> {
    [Path::new("/").join(PACKAGE.1), own(place)].into_iter().find(|folder| first_fault(folder).is_none())
}

/// Where downloaded files are kept.
fn own(place: &Place) -> PathBuf {
    place.private().join("data/fashion-mnist")
}

/// The folder with the four files, which are downloaded if they are missing.
pub(super) fn install(place: &Place) -> Outcome<PathBuf> {
    if let Some(folder) = installed(place) {
        return Ok(folder);
    }
    let folder = own(place);

    let _lock = setup::lock(place)?;
    let scratch = place.partial();
    let made = scratch.join("fashion-mnist");
    say("downloading Fashion-MNIST (31 MB)");
    if let Err(why_not_debian) = from_debian(&scratch, &made) {
        from_publisher(&made).map_err(|why_not_published| {
            Failure::new(format!("cannot download Fashion-MNIST: {why_not_debian}; {why_not_published}"))
                .hint(format!("check the network, or copy its four .gz files into {}", place.short(&folder)))
        })?;
    }
    setup::put(&made, &folder, &scratch)?;
    Ok(folder)
}

fn from_debian(scratch: &Path, made: &Path) -> Result<(), String> {
    let tree = scratch.join("fashion-mnist.package");
    setup::unpack_debian_package(PACKAGE.0, scratch, &tree)?;
    let inner = tree.join(PACKAGE.1);
    if let Some(fault) = first_fault(&inner) {
        return Err(format!("Debian's package has unexpected content ({fault})"));
    }
    std::fs::rename(&inner, made).map_err(|error| format!("cannot move {}: {error}", inner.display()))
}

fn from_publisher(made: &Path) -> Result<(), String> {
    setup::create(made).map_err(|failure| failure.to_string())?;
    FILES.iter().try_for_each(|(name, _)| download(&format!("{PUBLISHED}/{name}"), &made.join(name)))?;
    match first_fault(made) {
        None => Ok(()),
        Some(fault) => Err(format!("the files from {PUBLISHED} have unexpected content ({fault})")),
    }
}

/// Downloads one file with curl, wget or Python, whichever is installed.
fn download(address: &str, to: &Path) -> Result<(), String> {
    const PYTHON: &str = "import shutil, sys, urllib.request as u\n\
        with u.urlopen(sys.argv[1], timeout=60) as r, open(sys.argv[2], 'wb') as f: shutil.copyfileobj(r, f)";
    let name = ["curl", "wget"].into_iter().find(|name| command::find(name).is_some()).unwrap_or("python3");
    let mut tool = Command::new(name);
    match name {
        "curl" => {
            tool.args([
                "--fail",
                "--silent",
                "--show-error",
                "--location",
                "--retry",
                "3",
                "--connect-timeout",
                "20",
                "--output",
            ]);
            tool.arg(to).arg(address)
        }
        "wget" => tool.args(["--no-verbose", "--tries=3", "--timeout=20", "-O"]).arg(to).arg(address),
        _ => tool.args(["-c", PYTHON, address]).arg(to),
    };
    let finished = command::quiet(&mut tool, &format!("demo: downloading {address}"), None)
        .map_err(|failure| failure.to_string())?;
    if finished.status.success() {
        Ok(())
    } else {
        Err(format!("{name} cannot download {address}: {}", finished.tail(1)))
    }
}

/// The first of the four files that is missing or has another checksum.
fn first_fault(folder: &Path) -> Option<String> {
    FILES.iter().find_map(|(name, expected)| match sha256_inside(&folder.join(name)) {
        Ok(found) if found == *expected => None,
        Ok(_) => Some(format!("{name} has a different checksum")),
        Err(error) => Some(format!("{name}: {error}")),
    })
}

/// SHA-256, in hexadecimal, of the uncompressed content of a `.gz` file.
fn sha256_inside(path: &Path) -> std::io::Result<String> {
    let mut stream = MultiGzDecoder::new(std::io::BufReader::new(std::fs::File::open(path)?));
    let (mut hash, mut block) = (Sha256::new(), [0_u8; 65_536]);
    loop {
        match stream.read(&mut block)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            count => hash.update(&block[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_checksum_is_taken_of_what_is_inside() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("abc.gz");
        let file = std::fs::File::create(&path).expect("made");
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        packed.write_all(b"abc").expect("written");
        packed.finish().expect("finished");
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_inside(&path).expect("read"), expected);
    }

    // Security review S21: the checksum must cover what a reader of several gzip members reads.
    #[test]
    fn a_checksum_covers_every_gzip_member() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("abc.gz");
        let member = |text: &[u8]| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(text).expect("written");
            packed.finish().expect("finished")
        };
        std::fs::write(&path, [member(b"a"), member(b"bc")].concat()).expect("written");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_inside(&path).expect("read"), expected);
    }

    #[test]
    fn a_cut_or_foreign_file_is_a_fault() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(first_fault(folder.path()).expect("nothing there").starts_with("train-images-idx3-ubyte.gz: "));
        std::fs::write(folder.path().join("train-images-idx3-ubyte.gz"), b"not gzip").expect("written");
        assert!(first_fault(folder.path()).is_some());
    }
}
