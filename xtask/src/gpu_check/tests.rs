use super::*;

fn row(what: &str, script: &str) -> Row {
    let task = Task { program: Program::Mochi, words: vec!["-c".to_owned(), script.to_owned()] };
    Row::new(what, vec![task], |outputs| match outputs[0].trim() {
        "bad" => Err("a bad figure".to_owned()),
        figure => Ok(figure.to_owned()),
    })
}

fn shell(task: &Task) -> Command {
    let mut sh = Command::new("sh");
    sh.args(&task.words);
    sh
}

fn endings(results: &[Finished]) -> Vec<(&str, &str)> {
    results.iter().map(|row| page::told(&row.ended)).collect()
}

#[test]
fn a_failed_row_does_not_stop_the_others() {
    let rows = vec![
        row("exits", "echo 'error: no device' >&2; exit 2"),
        row("is bad", "echo bad"),
        row("is left out", "exit 1").only_if(false, "there is one card"),
        row("is good", "echo 12 ms"),
        row("tells more than its status", "echo 3 ms; exit 1").assessed_anyway(),
    ];
    let results = check(rows, &Budget::of(Duration::from_secs(60)), shell);
    assert_eq!(
        endings(&results),
        [
            ("FAILED", "mochi: no device (exit status: 2)"),
            ("FAILED", "a bad figure"),
            ("skipped", "there is one card"),
            ("ok", "12 ms"),
            ("ok", "3 ms")
        ]
    );
    let absent = check(vec![row("", "")], &Budget::of(Duration::from_secs(60)), |_| Command::new("/nowhere/mochi"));
    assert!(matches!(&absent[0].ended, Ended::Failed(reason) if reason.contains("cannot start /nowhere/mochi")));
}

#[test]
fn rows_without_time_are_skipped_by_name() {
    let rows = vec![row("runs too long", "exec sleep 60"), row("comes too late", "echo never")];
    let results = check(rows, &Budget::of(Duration::from_millis(300)), shell);
    let endings = endings(&results);
    assert!(endings[0].0 == "skipped" && endings[0].1.starts_with("the time ran out after 0."), "{endings:?}");
    assert_eq!(endings[1], ("skipped", "the time ran out"));
    assert_eq!(results[1].what, "comes too late");
    assert!(!results[0].took.is_zero() && results[1].took.is_zero());
}

#[test]
fn options_have_their_defaults() {
    let read = |list: &[&str]| Options::read(lexopt::Parser::from_args(list));
    let plain = read(&[]).expect("read").expect("no help");
    assert_eq!((plain.minutes, plain.json, plain.dry_run, plain.python), (8.0, false, false, None));
    let set = read(&["--minutes=0.5", "--json", "--python", "/p"]).expect("read").expect("no help");
    assert_eq!((set.minutes, set.json, set.python), (0.5, true, Some(PathBuf::from("/p"))));
    for wrong in ["--minutes=-1", "--minutes=NaN", "--minutes=inf", "--minute=1"] {
        assert!(read(&[wrong]).is_err(), "{wrong}");
    }
    assert!(read(&["--help"]).expect("read").is_none());
}

#[test]
fn the_plan_lists_every_row_with_its_commands() {
    let rows = rows(&scene(&Place::find(), None));
    let plan = page::plan(&rows);
    assert_eq!(plan.lines().count(), rows.len() + 2);
    for expected in [
        "| 1 | card and driver | `nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader` |",
        "`mochi eval knn .mochi/gpu-check/run --train .mochi/gpu-check/pictures --test .mochi/gpu-check/pictures --json`",
        "`python xtask/peers/moco_step.py --mode compiled --arch resnet50 --size 224 --batch 64 --steps 20 --warmup 3 --device cuda --precision bf16`",
    ] {
        assert!(plan.contains(expected), "{plan}");
    }
}
