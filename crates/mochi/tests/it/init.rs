//! Backbones that start from weights, through the binary.

use std::collections::BTreeMap;
use std::path::Path;

use mochi_tensor::{Tensor, read_tensors};

use crate::common::{images, json, mochi, newest, pretrain, said};

/// Every tensor of a run's newest checkpoint.
fn tensors(run: &Path) -> BTreeMap<String, Tensor> {
    read_tensors(&newest(run).join("model.safetensors")).unwrap().0
}

#[test]
fn a_run_starts_from_the_weights_of_another_or_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (data, first) = (folder.path().join("data"), folder.path().join("first"));
    mochi_tensor::start(Some(1)).unwrap();
    images(&data, 2, 8);
    assert!(
        pretrain(&data, &first, &["model.arch=patch-resnet", "epochs=1", "data.size=20"]).status().unwrap().success()
    );
    let file = folder.path().join("weights.safetensors");
    std::fs::copy(newest(&first).join("model.safetensors"), &file).unwrap();
    let weights = tensors(&first);
    for init in [&first, &file, &newest(&first)] {
        let out = folder.path().join("second");
        let mut command = mochi(&["pretrain"]);
        // The network follows the weights.
        command.arg(&data).args(["--preset", "small-mochi", "epochs=0", "seed=1", "model.arch=auto"]);
        // The view size follows a run; a file does not say it.
        command.args((init != &first).then_some("data.size=20"));
        let output = command.arg("--init").arg(init).arg("--out").arg(&out).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("tensors of the backbone are from"), "{}", said(&output));
        let own = tensors(&out);
        assert_eq!(weights.keys().collect::<Vec<_>>(), own.keys().collect::<Vec<_>>());
        for (name, values) in &weights {
            let name = name.as_str();
            // Counters start anew, and the statistics of features are measured on the images of the run.
            if name.ends_with("num_batches_tracked") || name.contains("norm.running") {
                continue;
            }
            match name.strip_prefix("key.") {
                Some(query) => assert!(own[name].equal(&own[query]), "the key encoder starts as a copy: {name}"),
                None => assert_eq!(values.equal(&own[name]), !name.starts_with("fc."), "{name}"),
            }
        }
        let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
        let size = if init != &first { "size = 20" } else { "size = 20  # auto: the weights of `model.init`" };
        assert!(config.contains(size), "{config}");
        assert!(config.contains("arch = \"patch-resnet\"  # auto: the weights of `model.init`"), "{config}");
        assert!(std::fs::read_to_string(out.join("report.html")).unwrap().contains("Starts from"));
        std::fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn weights_that_do_not_fit_leave_no_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out, text) = (folder.path().join("data"), folder.path().join("run"), folder.path().join("text.pth"));
    images(&data, 2, 8);
    std::fs::write(&text, "not weights").unwrap();
    let empty = folder.path().join("empty.safetensors");
    std::fs::write(&empty, [&2u64.to_le_bytes()[..], b"{}"].concat()).unwrap();
    let both = pretrain(&data, &out, &["--init", "none", "model.init=/nowhere"]).output().unwrap();
    assert!(said(&both).contains("--init and model.init=/nowhere both give the starting weights"), "{}", said(&both));
    for (init, part) in [
        ("/nowhere".to_owned(), "there is no run or weight file at /nowhere"),
        (text.display().to_string(), "is not a usable weight file"),
        (empty.display().to_string(), "give the weights of a ResNet with the names of torchvision, MoCo or detectron2"),
        (data.display().to_string(), "is not a run"),
    ] {
        let output = pretrain(&data, &out, &["--init", &init]).output().unwrap();
        assert!(!output.status.success() && said(&output).contains(part), "{init}: {}", said(&output));
        assert!(!out.exists(), "{init}");
    }
}

#[test]
fn a_plan_compares_runs_with_weights_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let (train, first) = (folder.path().join("train"), folder.path().join("first"));
    images(&train, 5, 6);
    images(&folder.path().join("test"), 5, 2);
    assert!(pretrain(&train, &first, &["epochs=1"]).status().unwrap().success());
    std::fs::copy(newest(&first).join("model.safetensors"), folder.path().join("weights.safetensors")).unwrap();
    let plan = folder.path().join("plan.toml");
    let text = "evaluate = [\"few-shot\"]\n[data]\nimages = \"train\"\ntrain = \"train\"\ntest = \"test\"\n[base]\nextends = \"small-mochi\"\nepochs = 0\n\
        data.size = 24\ncompute.threads = 1\ncompute.precision = \"float32\"\n[[axis]]\nname = \"weights\"\nvalues = [\n\
        { name = \"random\", model.arch = \"resnet20\" },\n{ name = \"given\", model.init = \"weights.safetensors\" },\n]\n";
    std::fs::write(&plan, text).unwrap();
    let ablate = |study: &str| {
        let mut command = mochi(&["ablate"]);
        command.arg(&plan).arg("--out").arg(folder.path().join(study)).arg("--json").output().unwrap()
    };
    let table = json(&ablate("study"));
    assert_eq!(table["finished"], serde_json::json!([2, 2]));
    let mut alone = mochi(&["eval", "few-shot"]);
    alone.arg(&first).arg("--train").arg(&train).arg("--test").arg(folder.path().join("test")).arg("--json");
    let alone = json(&alone.output().unwrap());
    let mean = &table["rows"][1]["scores"][0]["mean"];
    let cell = std::fs::read_dir(folder.path().join("study/cells")).unwrap().map(|entry| entry.unwrap().path());
    let given = cell.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with("given")).unwrap();
    let result = std::fs::read_to_string(given.join("eval/few-shot.json")).unwrap();
    assert!(result.contains("\"subject\": \"trained\""), "weights that a run started from are not untrained: {result}");
    assert!((mean.as_f64().unwrap() - alone["top1"].as_f64().unwrap()).abs() < 1e-9, "{mean} {alone}");

    // The views of a variant that starts from a run have that run's size, those of another the size of the images.
    let large = folder.path().join("large");
    assert!(pretrain(&train, &large, &["epochs=0", "data.size=32"]).status().unwrap().success());
    let sizes = text.replace("data.size = 24\n", "").replace("weights.safetensors", "large");
    std::fs::write(&plan, &sizes).unwrap();
    let warned = said(&ablate("sizes"));
    assert!(warned.contains("random has views of 24 px and given of 32"), "{warned}");

    std::fs::write(&plan, text.replace("weights.safetensors", "gone.safetensors")).unwrap();
    let missing = said(&ablate("other"));
    assert!(missing.contains("error: given: model.init: there is no run or weight file at"), "{missing}");
    assert!(missing.contains("hint: the path of `model.init` starts at the folder of the plan"), "{missing}");
}
