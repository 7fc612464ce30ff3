//! Messages of configuration errors, word for word.

use mochi_config::{DeviceFacts, Facts, Resolved, Settings};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The error of these words over the default preset, and its hint.
fn failure(list: &[&str]) -> (String, Option<String>) {
    let error = Settings::load(None, None, &words(list)).unwrap_err();
    (error.to_string(), error.hint())
}

fn facts() -> Facts {
    let cpu = DeviceFacts { memory_bytes: 16 << 30, fast_bf16: false };
    Facts { images: 4000, labels: true, cores: 4, cpu, ..Facts::default() }
}

fn conflict(list: &[&str], facts: Facts) -> (String, Option<String>) {
    let error = Settings::load(Some("small-mochi"), None, &words(list)).unwrap().resolve(&facts).unwrap_err();
    (error.to_string(), error.hint())
}

#[test]
fn one_fault_is_one_sentence_with_a_hint() {
    let cases = [
        ("moco.batsh=3", "unknown key `moco.batsh` (command line)", Some("did you mean `moco.batch`?")),
        ("batch=64", "unknown key `batch` (command line)", Some("did you mean `moco.batch`?")),
        ("zzzzzz=1", "unknown key `zzzzzz` (command line)", Some("docs/reference/configuration.md lists every key")),
        (
            "moco.batch=many",
            "invalid value for `moco.batch` (command line): expected \"auto\" or an integer from 2 to 1048576, got \"many\"",
            None,
        ),
        (
            "data.size=3",
            "invalid value for `data.size` (command line): expected \"auto\" or an integer from 8 to 4096, got 3",
            None,
        ),
        (
            "moco.temperature=0",
            "invalid value for `moco.temperature` (command line): expected a number above 0 and at most 100, got 0",
            None,
        ),
        (
            "moco.momentum=nan",
            "invalid value for `moco.momentum` (command line): expected \"auto\" or a number from 0 to 1, got nan",
            None,
        ),
        (
            "model.head=mpl",
            "invalid value for `model.head` (command line): expected \"mlp\", \"linear\" or \"mlp-bn\", got \"mpl\"",
            Some("did you mean \"mlp\"?"),
        ),
        (
            "data.fast_decode=1",
            "invalid value for `data.fast_decode` (command line): expected true or false, got 1",
            None,
        ),
        (
            "optimizer.milestones=[160, 120]",
            "invalid value for `optimizer.milestones` (command line): expected a list of increasing positive \
             integers, such as [120, 160], got [160, 120]",
            None,
        ),
        (
            "moco.loss=debaised",
            "invalid value for `moco.loss` (command line): expected \"info-nce\", \"decoupled\", { debiased = { c = 0.1 } } or \
             { hcl = { beta = 1.0, c = 0.1 } }, got \"debaised\"",
            Some("did you mean \"debiased\"?"),
        ),
        (
            "negatives.extra=[{ noise = { s = 4, sigmma = 1 } }]",
            "invalid value for `negatives.extra` (command line): expected the arguments `s` and `sigma` of \
             noise, got [{ noise = { s = 4, sigmma = 1 } }]",
            Some("did you mean \"sigma\"?"),
        ),
        (
            "negatives.extra.noise.s=-4",
            "invalid value for `negatives.extra` (command line): expected an integer from 0 to 1048576 as `s` of noise, got \
             [{ noise = { s = -4 } }]",
            None,
        ),
        (
            "moco=3",
            "invalid value for the section `moco` (command line): expected keys, got 3",
            Some("write its keys as `moco.KEY`"),
        ),
        (
            "fast",
            "invalid argument \"fast\": expected KEY=VALUE",
            Some("write for example optimizer.learning_rate=0.01"),
        ),
        (
            "seed=auto",
            "invalid value for `seed` (command line): expected an integer from 0 to 9223372036854775807, got \"auto\"",
            None,
        ),
    ];
    for (word, message, hint) in cases {
        assert_eq!(failure(&[word]), (message.to_owned(), hint.map(str::to_owned)), "{word}");
    }
}

#[test]
fn all_faults_of_all_layers_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "extends = \"moco-v3\"\nepochs = -1\n[moco]\nqeue = 10\n[modle]\narch = \"resnet18\"\n")
        .unwrap();
    let error = Settings::load(None, Some(&file), &words(&["negatives.hardest=x"])).unwrap_err();
    let at = file.display();
    assert_eq!(
        error.to_string(),
        format!(
            "invalid configuration (5 problems):\n  \
             unknown preset \"moco-v3\" ({at}); did you mean \"moco-v1\"?\n  \
             invalid value for `epochs` ({at}): expected \"auto\" or a number from 0 to 1000000, got -1\n  \
             unknown key `moco.qeue` ({at}); did you mean `moco.queue`?\n  \
             unknown key `modle.arch` ({at}); did you mean `model.arch`?\n  \
             invalid value for `negatives.hardest` (command line): expected \"auto\" or an integer from 0 to 67108864, got \"x\""
        )
    );
    assert_eq!(error.problems().len(), 5);
    assert_eq!(error.hint().as_deref(), Some("see docs/reference/configuration.md for every key and its values"));
}

#[test]
fn files_that_cannot_be_read_or_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.toml");
    let error = Settings::load(None, Some(&missing), &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot read {}: ", missing.display())), "{error}");
    // S7: a settings file is read up to a limit, and only if it is a regular file.
    let large = folder.path().join("large.toml");
    std::fs::write(&large, "# large\n".repeat(1 << 18)).unwrap();
    let message = |path: &std::path::Path| {
        let written = Settings::load(None, Some(path), &[]).unwrap_err().to_string();
        assert_eq!(Resolved::read(path).unwrap_err().to_string(), written);
        written
    };
    assert!(message(&large).contains("is larger than 1048576 bytes"), "{}", message(&large));
    assert!(message(folder.path()).ends_with("is a folder, expected a regular file"), "{}", message(folder.path()));
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"# caf\xe9").unwrap();
    assert!(message(&latin).ends_with("is not UTF-8 text"));
    let broken = folder.path().join("broken.toml");
    std::fs::write(&broken, "seed = 1\nepochs = = 2\n").unwrap();
    let error = Settings::load(None, Some(&broken), &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("invalid TOML ({}, line 2): ", broken.display())), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn values_that_cannot_stand_together() {
    let case = |list: &[&str], facts: Facts, message: &str, hint: &str| {
        assert_eq!(conflict(list, facts), (message.to_owned(), Some(hint.to_owned())), "{list:?}");
    };
    case(
        &["moco.batch=5000"],
        facts(),
        "`moco.batch` is 5000 but the dataset has 4000 images",
        "set moco.batch to at most 4000, or auto",
    );
    case(
        &[],
        Facts { images: 1, ..facts() },
        "the dataset has 1 image; contrastive learning requires at least 2",
        "give a folder with more images",
    );
    case(
        &["moco.batch=64", "moco.bn_groups=5"],
        facts(),
        "`moco.bn_groups` is 5 and does not divide `moco.batch`, 64",
        "set moco.bn_groups to 4, or auto",
    );
    case(
        &["moco.batch=64", "moco.bn_groups=64"],
        facts(),
        "`moco.bn_groups` is 64, which leaves groups of one image without statistics",
        "set moco.bn_groups to at most 32, or auto",
    );
    case(
        &["negatives.hardest=0", "negatives.pairs=8"],
        facts(),
        "`negatives.hardest` is 0, which leaves no keys to synthesize from",
        "set negatives.hardest to at least 1, or negatives.pairs=0 and negatives.query_mixes=0",
    );
    case(
        &["negatives.pairs=8", "negatives.extra.pair-mixing.p=0.5"],
        facts(),
        "`negatives.extra` contains pair-mixing, and `negatives.pairs` is 8: the same strategy twice",
        "set negatives.pairs=0",
    );
    case(
        &["compute.device=cuda"],
        facts(),
        "`compute.device` is \"cuda\" but no CUDA device is usable",
        "run `mochi doctor` to see why, or set compute.device=cpu",
    );
    let gpus = |count| Facts { gpus: vec![DeviceFacts::default(); count], ..facts() };
    case(
        &["compute.device=cuda:1"],
        gpus(1),
        "`compute.device` is \"cuda:1\" but this machine has one usable CUDA device, \"cuda\"",
        "set compute.device=cuda, or auto",
    );
    case(
        &["compute.device=cuda:4"],
        gpus(4),
        "`compute.device` is \"cuda:4\" but this machine has 4 usable CUDA devices",
        "set compute.device to one of cuda:0 to cuda:3, or auto",
    );
    let both = conflict(&["compute.device=cuda", "moco.batch=5000"], facts()).0;
    assert!(both.starts_with("invalid configuration (2 problems):\n"), "{both}");
}

#[test]
fn ways_that_do_not_stand_together_are_all_told() {
    let case = |list: &[&str], parts: &[&str]| {
        let list: Vec<&str> = ["negatives.pairs=0", "negatives.query_mixes=0"].iter().chain(list).copied().collect();
        let (message, _) = conflict(&list, facts());
        for part in parts {
            assert!(message.contains(part), "{list:?}: {message}");
        }
        let told = message.lines().count().saturating_sub(1).max(1);
        assert_eq!(told, parts.len(), "{message}");
    };
    case(&["moco.encoder=shared"], &["no key encoder to fill a queue"]);
    case(&["moco.positive=label"], &["requires a loss within the batch"]);
    case(
        &["moco.encoder=shared", "moco.positive=label", "mix.images=mixco", "negatives.interpolate=1.6"],
        &["no key encoder", "requires a loss within the batch", "`mix.images` requires a key encoder"],
    );
    case(&["data.views=4"], &["`data.views` is 4, but more than 2 views require a shared encoder"]);
    let simclr = ["moco.encoder=shared", "negatives.from=batch"];
    case(&[&simclr[..], &["data.views=4", "moco.positive=nearest"]].concat(), &["`data.views` is 4"]);
    case(&[&simclr[..], &["negatives.interpolate=1.6"]].concat(), &["mixes the keys of the queue"]);
    case(
        &[&simclr[..], &["negatives.pairs=8", "moco.extrapolate=2"]].concat(),
        &["synthesis (`negatives.pairs`", "`moco.extrapolate` is not supported by the SimCLR"],
    );
    case(
        &[&simclr[..], &["negatives.filters=[\"same-image\"]", "moco.loss=decoupled"]].concat(),
        &["`negatives.filters` is not supported by the SimCLR", "`moco.loss` is not supported by the SimCLR"],
    );
    let nnclr = ["moco.positive=nearest", "negatives.from=batch"];
    case(&[&nnclr[..], &["mix.images=un-mix"]].concat(), &["is not supported by the NNCLR"]);
    let simclr_label = [&simclr[..], &["moco.positive=label"]].concat();
    let unlabelled = Facts { labels: false, ..facts() };
    let list = [&simclr_label[..], &["negatives.pairs=0", "negatives.query_mixes=0"]].concat();
    assert!(conflict(&list, unlabelled).0.contains("the dataset has no labels"));
    case(
        &["mix.images=mixco", "moco.batch=24", "moco.bn_groups=8"],
        &["`moco.bn_groups` is 8 and does not divide the 12"],
    );
    let resolves =
        |list: &[&str]| Settings::load(Some("small-mochi"), None, &words(list)).unwrap().resolve(&facts()).is_ok();
    for mix in ["none", "un-mix", "i-mix", "mixco"] {
        for from in ["queue", "batch", "both"] {
            let list = [format!("mix.images={mix}"), format!("negatives.from={from}"), "moco.extrapolate=2".to_owned()];
            assert!(resolves(&list.each_ref().map(String::as_str)), "{list:?}");
        }
    }
    assert!(resolves(&[
        "moco.positive=nearest",
        "negatives.from=both",
        "negatives.interpolate=1.6",
        "mix.images=i-mix"
    ]));
}

#[test]
fn a_batch_without_a_queue_needs_none() {
    let resolve =
        |list: &[&str]| Settings::load(Some("small-mochi"), None, &words(list)).unwrap().resolve(&facts()).unwrap().0;
    let batch = resolve(&["negatives.from=batch", "moco.batch=64"]);
    assert!(!batch.uses_queue());
    assert_eq!((batch.moco.queue, batch.negatives.hardest), (1, 64));
    let nearest =
        resolve(&["negatives.from=batch", "moco.positive=nearest", "negatives.pairs=0", "negatives.query_mixes=0"]);
    assert!(nearest.uses_queue() && nearest.within_batch() && nearest.moco.queue > 1);
}
