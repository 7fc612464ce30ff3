//! `shell_word`.

use std::path::Path;
use std::process::Command;

use mochi_files::shell_word;

/// Field case row 100: hints named paths that a shell takes apart.
#[test]
fn f100_a_shell_reads_every_path_as_it_was() {
    assert_eq!(shell_word(Path::new("runs/20261125-mochi_é")), "runs/20261125-mochi_é");
    for path in [
        "runs/my run's é",
        "a b",
        "",
        "$(id)",
        "x;y",
        "~/x",
        "new\nline",
        "-dash",
        "a\\b",
        "`id`",
        "*?[x]{a,b}",
        "!h",
        "#x",
    ] {
        let script = format!("printf %s {}", shell_word(Path::new(path)));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), path, "{script}");
    }
}
