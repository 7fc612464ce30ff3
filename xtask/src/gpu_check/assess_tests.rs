use super::*;

fn said(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

const DOCTOR: &str = r#"[{"name":"mochi","value":"0.1.0 (x86_64 linux)","ok":true},
    {"name":"libtorch","value":"2.11.0+cu130 in /home/me/torch","ok":true},
    {"name":"CUDA","value":"cuda:0, 79.1 GiB of memory","ok":true},
    {"name":"default","value":"a run uses cuda in bf16 (cuda is fast at bf16)","ok":true},
    {"name":"first sum","value":"computed on cuda:0 3.10 s after the start","ok":true}]"#;

#[test]
fn the_doctors_report_is_read() {
    let figure = "libtorch 2.11.0+cu130; cuda:0, 79.1 GiB of memory; a run uses cuda in bf16 (cuda is fast at bf16)";
    assert_eq!(doctor(&said(&[DOCTOR])).as_deref(), Ok(figure));
    assert_eq!(first_sum(&said(&[DOCTOR])).as_deref(), Ok("computed on cuda:0 3.10 s after the start"));
    let none = r#"[{"name":"CUDA","value":"not used: no NVIDIA device was found","ok":true}]"#;
    assert_eq!(doctor(&said(&[none])), Err("CUDA is not used: no NVIDIA device was found".to_owned()));
    assert_eq!(first_sum(&said(&[none])), Err("CUDA is not used".to_owned()));
    let broken = DOCTOR.replace(r#"start","ok":true"#, r#"start","ok":false"#);
    assert!(first_sum(&said(&[&broken])).is_err());
    let other = r#"[{"name":"libtorch","value":"libtorch 2.9 was loaded","ok":false}]"#;
    assert_eq!(doctor(&said(&[other])), Err("libtorch: libtorch 2.9 was loaded".to_owned()));
    assert!(doctor(&said(&["segmentation fault"])).is_err_and(|reason| reason.contains("not JSON")));
    assert!(doctor(&said(&["[]"])).is_err());
    assert!(
        cards(&said(&["NVIDIA A2, 580.1, 15356 MiB, 8.6\n"])).is_ok_and(|figure| figure.starts_with("NVIDIA A2, "))
    );
    assert!(cards(&said(&[""])).is_err());
}

#[test]
fn a_skipped_test_of_nccl_checked_nothing() {
    let passed = "checked: NCCL with one rank\nok\nchecked: NCCL's options: 244 of 248 bytes are written\n";
    let figure = "NCCL with one rank; NCCL's options: 244 of 248 bytes are written";
    assert_eq!(nccl(&said(&[passed])).as_deref(), Ok(figure));
    let skipped = format!("{passed}skipped: NCCL: no NVIDIA device was found\n");
    assert_eq!(nccl(&said(&[&skipped])), Err("not tested: NCCL: no NVIDIA device was found".to_owned()));
    assert!(nccl(&said(&["test result: ok. 0 passed"])).is_err());
}

#[test]
fn two_ranks_must_train_on_gpus() {
    let line = |device: &str| {
        format!(
            r#"{{"results":[{{"device":"{device}","alone_s":0.01,"step_s":0.012,"all_reduce_s":0.001,"hidden":0.9}}]}}"#
        )
    };
    let figure = "step alone 10.0 ms, together 12.0 ms; all-reduce of the gradients alone 1.0 ms";
    assert_eq!(ranks(&said(&[&line("cuda")])).as_deref(), Ok(figure));
    assert_eq!(ranks(&said(&[&line("cpu")])), Err("it ran on cpu".to_owned()));
}

/// A run folder whose losses are 2, 3, 4, each times `1 + off`, and one farther off.
fn run(folder: &Path, name: &str, off: f64) -> std::path::PathBuf {
    let run = folder.join(name);
    std::fs::create_dir(&run).expect("a folder");
    let step = |loss: f64| {
        format!(
            r#"{{"loss":{},"alignment":0.5,"uniformity":-1.5,"positive_similarity":0.7,"step":1}}"#,
            loss * (1.0 + off)
        )
    };
    let text = [2.0, 3.0, 4.0, 9.0 * (1.0 + 10.0 * off)].map(step).join("\n");
    std::fs::write(run.join("metrics.jsonl"), text).expect("written");
    run
}

#[test]
fn precisions_are_told_apart_by_the_first_steps() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let run = |name: &str, off: f64| run(temporary.path(), name, off);
    let [cpu, near, far, coarse] =
        [("cpu", 0.0), ("near", 3e-6), ("far", 2e-4), ("coarse", 0.03)].map(|(name, off)| run(name, off));
    assert_eq!(float32(&cpu, &near).as_deref(), Ok("largest relative difference 3.0e-6 (bound 1e-4)"));
    assert_eq!(float32(&cpu, &far), Err("largest relative difference 2.0e-4 (bound 1e-4)".to_owned()));
    assert_eq!(tf32(&cpu, &near, &far).as_deref(), Ok("differs from the CPU by 2.0e-4, float32 by 3.0e-6"));
    assert!(tf32(&cpu, &near, &near).is_err() && tf32(&cpu, &far, &near).is_err());
    assert!(bf16(&cpu, &far).is_ok() && bf16(&cpu, &coarse).is_err());
    let absent = float32(&cpu, &temporary.path().join("absent")).expect_err("no run");
    assert!(absent.starts_with("the run absent has no metrics: "), "{absent}");
    for (text, problem) in
        [("", "has 0 of 3 steps"), ("{\"loss\":1}\n", "has no alignment"), ("{", "metrics of the run")]
    {
        std::fs::write(near.join("metrics.jsonl"), text).expect("written");
        let told = float32(&cpu, &near).expect_err("a damaged run");
        assert!(told.contains(problem), "{told}");
    }
}

#[test]
fn training_must_beat_chance() {
    let train = r#"{"run":"r","finished":true,"step":9,"steps":900,"elapsed_s":58.4}"#;
    let knn = |low: f64, device: &str| {
        format!(r#"{{"top1":62.3,"top1_interval":[{low},65.0],"classes":10,"device":"{device}"}}"#)
    };
    let figure = "900 steps in 58 s, k-NN 62.3 % (chance 10 %)";
    assert_eq!(training(&said(&[train, &knn(60.0, "cuda")])).as_deref(), Ok(figure));
    assert_eq!(training(&said(&[train, &knn(9.0, "cuda")])), Err(figure.to_owned()));
    assert_eq!(training(&said(&[train, &knn(60.0, "cpu")])), Err("it ran on cpu".to_owned()));
    assert!(training(&said(&["", ""])).is_err());
}

#[test]
fn steps_of_both_programs_are_read() {
    let ours = r#"{"images_per_s":412.6,"moco_s":0.1551,"device":"cuda","peak_bytes":7100000000}"#;
    assert_eq!(step(&said(&[ours])).as_deref(), Ok("413 images/s, 155.1 ms per step, at most 7.1 GB"));
    let theirs = r#"{"images_per_s":400.0,"median_s":0.16,"first_s":61.2,"device":"cuda","peak_bytes":7100000000}"#;
    let figure = "400 images/s, 160.0 ms per step, at most 7.1 GB; compiled in 61 s";
    assert_eq!(compiled_step(&said(&[theirs])).as_deref(), Ok(figure));
    assert_eq!(step(&said(&[&ours.replace("cuda", "cpu")])), Err("it ran on cpu".to_owned()));
    assert!(step(&said(&[&ours.replace("412.6", "null")])).is_err());
    assert!(step(&said(&["Traceback"])).is_err());
}
