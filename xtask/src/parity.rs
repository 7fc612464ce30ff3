//! `cargo xtask parity resnet|loss FILE`: compares results of Mochi with a file that a reference script wrote. `mochi-parity` prints one JSON line to
//! stdout, and exits with 1 if the difference is too large.

use std::process::ExitCode;

use crate::cargo::cargo;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup;

/// The command: `parity resnet|loss FILE`.
pub(crate) fn run(place: &Place, mut arguments: lexopt::Parser) -> Outcome {
    let mut values = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Value(value) => values.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let usage = "cargo xtask parity resnet FILE, or cargo xtask parity loss FILE";
    let [what, file] = values.as_slice() else {
        return Err(Failure::new("expected a target (resnet or loss) and a reference file").hint(usage));
    };
    if what != "resnet" && what != "loss" {
        return Err(Failure::new(format!("unknown target `{}`", what.to_string_lossy())).hint(usage));
    }
    let path = std::path::absolute(file).map_err(|error| Failure::io("find", file.as_ref(), &error))?;
    if !path.is_file() {
        let script = if what == "resnet" { "resnet_reference.py" } else { "mochi_reference.py" };
        return Err(Failure::new(format!("file {} does not exist", path.display()))
            .hint(format!("{script} writes one: python {script} --out FILE")));
    }
    setup::ensure(place, false)?;
    let mut program = cargo(place);
    program.args(["run", "--release", "--quiet", "--package", "mochi-parity", "--"]).arg(what).arg(path);
    let status = command::status(&mut program)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
