//! What a user reads when settings are wrong: exact text.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy.toml does not see as tests

use mochi_config::{Facts, Settings};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The error of these words over the default preset, and its hint.
fn failure(list: &[&str]) -> (String, Option<String>) {
    let error = Settings::load(None, None, &words(list)).unwrap_err();
    (error.to_string(), error.hint())
}

fn facts() -> Facts {
    Facts { images: 4000, cores: 4, memory_bytes: 16 << 30, cuda: false, bf16_fast: false, labels: true }
}

fn conflict(list: &[&str], facts: Facts) -> (String, Option<String>) {
    let error = Settings::load(Some("small"), None, &words(list)).unwrap().resolve(&facts).unwrap_err();
    (error.to_string(), error.hint())
}

#[test]
fn one_fault_is_one_sentence_with_a_hint() {
    let cases = [
        ("moco.batsh=3", "unknown key `moco.batsh` (command line)", Some("did you mean `moco.batch`?")),
        ("batch=64", "unknown key `batch` (command line)", Some("did you mean `moco.batch`?")),
        ("zzzzzz=1", "unknown key `zzzzzz` (command line)", None),
        (
            "moco.batch=many",
            "`moco.batch` is \"many\" (command line): expected a whole number from 2 to 1048576 or \"auto\"",
            None,
        ),
        ("data.size=3", "`data.size` is 3 (command line): expected a whole number from 8 to 4096", None),
        (
            "moco.temperature=0",
            "`moco.temperature` is 0 (command line): expected a number above 0 and at most 100",
            None,
        ),
        ("moco.momentum=nan", "`moco.momentum` is nan (command line): expected a number from 0 to 1", None),
        (
            "model.head=mpl",
            "`model.head` is \"mpl\" (command line): expected \"mlp\" or \"linear\"",
            Some("did you mean \"mlp\"?"),
        ),
        ("data.fast_decode=1", "`data.fast_decode` is 1 (command line): expected true or false", None),
        (
            "optimizer.milestones=[160, 120]",
            "`optimizer.milestones` is [160, 120] (command line): expected a list of rising whole numbers above 0, such \
             as [120, 160]",
            None,
        ),
        (
            "moco.loss=debaised(0.1)",
            "`moco.loss` is \"debaised(0.1)\" (command line): expected \"info-nce\", \"decoupled\", \"debiased(c=0.1)\" or \
             \"hcl(beta=1, c=0.1)\"",
            Some("did you mean \"debiased\"?"),
        ),
        (
            "negatives.extra=[\"noise(s=4, sigmma=1)\"]",
            "`negatives.extra` is [\"noise(s=4, sigmma=1)\"] (command line): expected a list of any of \
             \"extrapolate(s=..., max=1.5)\", \"noise(s=..., sigma=0.01)\", \"perturb(s=..., delta=0.01)\", \
             \"adversarial(s=..., eta=0.01)\", \"repeat(s=...)\" or \"weight(w=...)\"",
            Some("did you mean \"sigma\"?"),
        ),
        ("moco=3", "`moco` is 3 (command line): expected a section of keys", Some("write its keys as `moco.KEY`")),
        ("fast", "\"fast\" is no setting: expected KEY=VALUE", Some("for example moco.batch=128")),
        ("seed=auto", "`seed` is \"auto\" (command line): expected a whole number from 0 to 9223372036854775807", None),
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
            "5 settings cannot be used:\n  \
             there is no preset \"moco-v3\" ({at}); did you mean \"moco-v1\"?\n  \
             `epochs` is -1 ({at}): expected a whole number from 0 to 1000000 or \"auto\"\n  \
             unknown key `moco.qeue` ({at}); did you mean `moco.queue`?\n  \
             unknown key `modle.arch` ({at}); did you mean `model.arch`?\n  \
             `negatives.hardest` is \"x\" (command line): expected a whole number from 0 to 67108864 or \"auto\""
        )
    );
    assert_eq!(error.problems().len(), 5);
    assert_eq!(error.hint().as_deref(), Some("docs/reference/configuration.md lists every key with what it takes"));
}

#[test]
fn files_that_cannot_be_read_or_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.toml");
    let error = Settings::load(None, Some(&missing), &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot read the settings file {}: ", missing.display())), "{error}");
    let broken = folder.path().join("broken.toml");
    std::fs::write(&broken, "seed = 1\nepochs = = 2\n").unwrap();
    let error = Settings::load(None, Some(&broken), &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}, line 2: ", broken.display())), "{error}");
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
        "`moco.batch` is 5000 but the data set holds 4000 images",
        "set moco.batch to at most 4000, or auto",
    );
    case(
        &[],
        Facts { images: 1, ..facts() },
        "the data set holds 1 image: contrast needs at least 2",
        "give a folder that holds more images",
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
        "`moco.bn_groups` is 64: groups of one image have no statistics",
        "set moco.bn_groups to at most 32, or auto",
    );
    case(
        &["negatives.hardest=0", "negatives.pairs=8"],
        facts(),
        "`negatives.hardest` is 0, which leaves nothing to mix",
        "set negatives.hardest to at least 1, or negatives.pairs and negatives.query_mixes to 0",
    );
    case(
        &["compute.device=cuda"],
        facts(),
        "`compute.device` is \"cuda\" but no CUDA device works here",
        "`mochi doctor` says why; compute.device=cpu trains without",
    );
    let both = conflict(&["compute.device=cuda", "moco.batch=5000"], facts()).0;
    assert!(both.starts_with("2 settings cannot be used:\n"), "{both}");
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
    case(&["moco.positive=label"], &["only the loss within a batch has"]);
    case(
        &["moco.encoder=shared", "moco.positive=label", "mix.images=mixco", "negatives.interpolate=1.6"],
        &["no key encoder", "only the loss within a batch", "`mix.images` mixes queries"],
    );
    let simclr = ["moco.encoder=shared", "negatives.from=batch"];
    case(&[&simclr[..], &["negatives.interpolate=1.6"]].concat(), &["mixes the queue's keys"]);
    case(
        &[&simclr[..], &["negatives.pairs=8", "moco.extrapolate=2"]].concat(),
        &["synthesis (`negatives.pairs`", "`moco.extrapolate` does not reach SimCLR's"],
    );
    case(
        &[&simclr[..], &["negatives.filters=[\"same-image\"]", "moco.loss=decoupled"]].concat(),
        &["`negatives.filters` does not reach SimCLR's", "`moco.loss` does not reach SimCLR's"],
    );
    let nnclr = ["moco.positive=nearest", "negatives.from=batch"];
    case(&[&nnclr[..], &["mix.images=un-mix"]].concat(), &["does not reach NNCLR's"]);
    let simclr_label = [&simclr[..], &["moco.positive=label"]].concat();
    let unlabelled = Facts { labels: false, ..facts() };
    let list = [&simclr_label[..], &["negatives.pairs=0", "negatives.query_mixes=0"]].concat();
    assert!(conflict(&list, unlabelled).0.contains("the data set has no classes"));
    case(
        &["mix.images=mixco", "moco.batch=24", "moco.bn_groups=8"],
        &["`moco.bn_groups` is 8 and does not divide the 12"],
    );
    let resolves = |list: &[&str]| Settings::load(Some("small"), None, &words(list)).unwrap().resolve(&facts()).is_ok();
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
        |list: &[&str]| Settings::load(Some("small"), None, &words(list)).unwrap().resolve(&facts()).unwrap().0;
    let batch = resolve(&["negatives.from=batch", "moco.batch=64"]);
    assert!(!batch.uses_queue());
    assert_eq!((batch.moco.queue, batch.negatives.hardest), (1, 64));
    let nearest =
        resolve(&["negatives.from=batch", "moco.positive=nearest", "negatives.pairs=0", "negatives.query_mixes=0"]);
    assert!(nearest.uses_queue() && nearest.within_batch() && nearest.moco.queue > 1);
}
