//! `mochi-parity resnet|loss FILE`: compares our numbers with a file that a PyTorch reference script wrote.
//!
//! One JSON object on stdout, everything else on stderr; exit 0 where all errors are within bounds, 1 where one is not, 2 where the
//! file or the call cannot be used. `compare` says what an error is, `resnet` and `loss` what is compared.
#![forbid(unsafe_code)]

mod compare;
mod error;
mod file;
mod loss;
mod resnet;

use std::path::PathBuf;
use std::process::ExitCode;

use error::ParityError;

const HELP: &str = "\
Compares Mochi's networks and loss with files that PyTorch reference scripts wrote.

Usage: mochi-parity resnet FILE
       mochi-parity loss FILE

resnet  FILE as resnet_reference.py writes it (safetensors; metadata `arch`, and `stem` = standard or cifar).
        {\"features\", \"features_eval\", \"grad\", \"after\"}: float32, contiguous layout as in the file, bound 1e-4.
        \"channels_last\": the layout that training uses, with the fused norms, against the file; all but grad must be within the
        bound, because rounding moves activations across a ReLU's corner and gradients jump there, PyTorch's own as well.
        \"channels_last_settled\": that layout against the contiguous one with all activations moved away from the corner;
        printed only.
loss    FILE as mochi_reference.py writes it (safetensors; metadata `temperature`).
        {\"loss\", \"logits\", \"grad_q\"}: the closed form in float64, bound 1e-6; {\"loss_float32\", \"grad_q_float32\"}:
        the CPU kernel in float32, bound 1e-4; {\"hardest\", \"hardest_float32\"}: queue rows that are among the N
        hardest here and not there, of which float32 may only have those that tie with the last one.

An error is relative: per tensor max |ours - theirs| / max |theirs|, and of several tensors the largest.
Exit: 0 within bounds, 1 beyond one, 2 if the file cannot be used.";

/// What was measured, and whether it is within bounds.
struct Verdict {
    /// One JSON object.
    numbers: serde_json::Value,
    /// Whether every number is within its bound.
    good: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, ParityError> {
    let mut arguments = lexopt::Parser::from_env();
    let mut values = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => {
                println!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            lexopt::Arg::Value(value) => values.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let [what, file] = values.as_slice() else {
        return Err(ParityError::Usage("what to compare (resnet or loss) and one file are needed".into()));
    };
    let file = PathBuf::from(file);
    mochi_tensor::start(None)?;
    let verdict = match what.to_str() {
        Some("resnet") => resnet::compare(&file)?,
        Some("loss") => loss::hold(&file)?,
        _ => return Err(ParityError::Usage(format!("\"{}\" cannot be compared", what.to_string_lossy()))),
    };
    println!("{}", verdict.numbers);
    Ok(if verdict.good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
