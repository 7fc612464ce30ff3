//! Several processes that do not fit together, or do not find each other: each says why before anything is trained.

use std::path::Path;

use crate::common::{images, launch, mochi, pretrain, said};
use crate::processes::{SHORT, as_rank, ends, free_port, place, resume, start};

#[test]
fn ranks_with_other_settings_or_data_are_named() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let ended = ends(start(2, |rank| pretrain(&data, &run, &[["moco.temperature=0.2", "moco.temperature=0.3"][rank]])));
    let sentence = "rank 1 has other settings than rank 0: moco.temperature=0.3 instead of moco.temperature=0.2";
    assert!(ended.iter().any(|(_, text)| text.contains(sentence)), "{ended:?}");
    assert!(ended.iter().all(|(status, _)| *status == Some(1)), "{ended:?}");

    let other = folder.path().join("other");
    images(&other, 4, 15);
    let ended = ends(start(2, |rank| pretrain([&data, &other][rank], &run, &[])));
    let sentence = "rank 1 has other data than rank 0: 60 images (fingerprint ";
    assert!(ended.iter().any(|(_, text)| text.contains(sentence)), "{ended:?}");
    assert!(!run.exists(), "a run was begun");
}

#[test]
fn ranks_with_other_commands_or_runs_are_named() {
    let (folder, data) = place();
    let path = |name: &str| folder.path().join(name);
    for (name, temperature) in [("one", "moco.temperature=0.2"), ("two", "moco.temperature=0.3")] {
        assert!(pretrain(&data, &path(name), &["epochs=1", temperature]).status().unwrap().success());
    }
    let command = |rank: usize| if rank == 0 { pretrain(&data, &path("new"), &SHORT) } else { resume(&path("one")) };
    let ended = ends(start(2, command));
    let sentence = "rank 1 has other versions or commands than rank 0: `mochi resume` instead of `mochi pretrain`";
    assert!(ended.iter().any(|(_, text)| text.contains(sentence)), "{ended:?}");
    assert!(ended.iter().all(|(status, _)| *status == Some(1)) && !path("new").exists(), "{ended:?}");
    let ended = ends(start(2, |rank| resume(&path(["one", "two"][rank]))));
    let sentence = "rank 1 has other settings than rank 0: temperature = 0.3";
    assert!(ended.iter().any(|(_, text)| text.contains(sentence)), "{ended:?}");
    assert!(ended.iter().all(|(status, _)| *status == Some(1)), "{ended:?}");
}

#[test]
fn what_all_ranks_find_is_printed_once() {
    let (folder, data) = place();
    let output = launch(3, &pretrain(&data, &folder.path().join("run"), &["moco.batch=16"])).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    // Rank 0 alone resolves settings; the others wait for them.
    let sentence = "`moco.batch` is 16, which 3 processes cannot share equally";
    assert_eq!(said(&output).matches(&format!("error: {sentence}\nhint: ")).count(), 1, "{}", said(&output));
    assert_eq!(said(&output).matches(&format!(": rank 0 failed: {sentence}")).count(), 2, "{}", said(&output));
    let output = launch(3, &pretrain(Path::new("/no/such/folder"), &folder.path().join("run"), &[])).output().unwrap();
    assert_eq!(said(&output).matches("error: ").count(), 1, "{}", said(&output));
}

#[test]
fn a_port_in_use_a_wrong_host_and_a_rank_that_never_comes_are_sentences() {
    let (folder, data) = place();
    let run = folder.path().join("run");
    let one = |rank: usize, host: &str, port: u16| {
        let mut command = as_rank(pretrain(&data, &run, &[]), rank, 2, port);
        said(&command.env("MASTER_ADDR", host).env("MOCHI_RANK_TIMEOUT", "2").output().unwrap())
    };
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = one(0, "127.0.0.1", port);
    assert!(
        text.contains(&format!(
            "error: cannot serve at 127.0.0.1:{port}: another program uses port {port}; choose another MASTER_PORT"
        )),
        "{text}"
    );
    let host = "no-such-host.invalid";
    let unknown = |port: u16| format!("at {host}:{port}: the host \"{host}\" is unknown (");
    let text = one(1, host, port);
    assert!(text.contains(&format!("error: rank 1: cannot reach rank 0 {}", unknown(port))), "{text}");
    // What it waits for is told at once, and once.
    assert!(text.starts_with(&format!("rank 1: cannot reach rank 0 {}", unknown(port))), "{text}");
    assert_eq!(text.matches("; trying again, up to 2 s").count(), 1, "{text}");
    let text = one(0, host, port);
    assert!(text.contains(&format!("error: cannot serve {}", unknown(port))), "{text}");
    let text = one(0, "127.0.0.1", free_port());
    assert!(text.contains("of 2 processes, one has not come within 2 s: rank 1"), "{text}");
    assert!(text.lines().count() <= 3, "{text}");
}

#[test]
fn commands_of_one_process_refuse_several() {
    let mut command = mochi(&["doctor"]);
    let output =
        command.env("WORLD_SIZE", "2").env("RANK", "0").env("MASTER_ADDR", "a").env("MASTER_PORT", "1").output();
    let text = said(&output.unwrap());
    assert!(text.contains("`mochi doctor` runs in one process, and 2 were started"), "{text}");
    let mut command = mochi(&["pretrain", "nowhere"]);
    let text = said(&command.env("WORLD_SIZE", "2").output().unwrap());
    assert!(text.contains("error: WORLD_SIZE is 2, but RANK is not set\nhint: "), "{text}");
}

#[test]
fn launch_takes_a_command_with_and_without_dashes() {
    for dashes in [&[][..], &["--"]] {
        let output =
            mochi(&[&["launch", "--processes", "2"], dashes, &["doctor", "--json"]].concat()).output().unwrap();
        let text = said(&output);
        assert!(text.contains("error: `mochi doctor` does not run in several processes\nhint: "), "{text}");
    }
}
