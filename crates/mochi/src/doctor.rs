//! `mochi doctor`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use mochi_train::facts;
use serde::Serialize;

use crate::failure::{Outcome, print_json, print_line};

/// Words of the verb.
#[derive(Args)]
pub struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was found. A finding with a `hint` wants mending; one without is fine.
#[derive(Serialize)]
struct Finding {
    name: &'static str,
    value: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// Runs the verb: status 1 where something must be mended before training.
pub fn run(arguments: Arguments) -> Outcome {
    let findings = look();
    if arguments.json {
        print_json(&findings)?;
    } else {
        for finding in &findings {
            let mark = if finding.ok { "ok  " } else { "mend" };
            print_line(&format!("{mark}  {:10}  {}", finding.name, finding.value));
            if let Some(hint) = &finding.hint {
                print_line(&format!("      {:10}  hint: {hint}", ""));
            }
        }
    }
    Ok(if findings.iter().all(|finding| finding.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look() -> Vec<Finding> {
    let fine = |name, value: String| Finding { name, value, ok: true, hint: None };
    let remark = |name, value: String, hint: &str| Finding { name, value, ok: true, hint: Some(hint.to_owned()) };
    let mut findings = vec![fine(
        "mochi",
        format!("{} ({} {})", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS),
    )];
    match mochi_tensor::start(None) {
        Err(error) => {
            findings.push(Finding { name: "libtorch", value: error.to_string(), ok: false, hint: error.hint() })
        }
        Ok(engine) => {
            findings.push(fine("libtorch", format!("{} in {}", engine.version, engine.folder.display())));
            let facts = facts(&engine, 0);
            findings.push(fine(
                "machine",
                format!("{} cores, {} of memory to use", facts.cores, bytes(facts.memory_bytes)),
            ));
            findings.push(match &engine.no_cuda {
                None => fine("CUDA", format!("{} device(s)", engine.cuda_devices)),
                Some(reason) => fine("CUDA", format!("not used: {reason}")),
            });
            findings.push(if engine.fast_bf16 {
                fine("bf16", "this CPU computes it natively; training takes it by default".to_owned())
            } else {
                fine("bf16", "this CPU does not compute it natively; training takes float32 by default".to_owned())
            });
        }
    }
    findings.push(if mochi_data::decode::simd_in_jpeg() {
        fine("JPEG", "libjpeg-turbo with SIMD".to_owned())
    } else {
        remark(
            "JPEG",
            "libjpeg-turbo without SIMD, decoding is slower".to_owned(),
            "install nasm (apt-get install nasm), run `cargo xtask setup`, build again",
        )
    });
    findings.push(disk(&std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))));
    findings
}

/// Free space where runs are written: a ResNet-50 checkpoint takes about 350 MB.
fn disk(folder: &Path) -> Finding {
    const WANTED: u64 = 2 << 30;
    match free_bytes(folder) {
        Some(free) if free < WANTED => Finding {
            name: "disk",
            value: format!("{} free in {}", bytes(free), folder.display()),
            ok: false,
            hint: Some("free some space, or write runs elsewhere with --out".to_owned()),
        },
        Some(free) => Finding {
            name: "disk",
            value: format!("{} free in {}", bytes(free), folder.display()),
            ok: true,
            hint: None,
        },
        None => Finding { name: "disk", value: "free space cannot be told here".to_owned(), ok: true, hint: None },
    }
}

/// Space that this user may still write.
fn free_bytes(folder: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(folder).ok()?;
    system.f_bavail.checked_mul(system.f_frsize)
}

fn bytes(n: u64) -> String {
    format!("{:.1} GiB", n as f64 / f64::from(1u32 << 30))
}
