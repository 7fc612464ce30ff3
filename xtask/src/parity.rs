//! `cargo xtask parity resnet|loss FILE`: our numbers held against a file that a reference script wrote. One JSON line on stdout,
//! exit 1 where they differ too much; both are `mochi-parity`'s own.

use std::process::ExitCode;

use crate::cargo::cargo;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::setup;

/// The verb: `parity resnet|loss FILE`.
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
        return Err(Failure::new("parity takes what to hold against what: resnet or loss, and a file").hint(usage));
    };
    if what != "resnet" && what != "loss" {
        return Err(Failure::new(format!("parity knows no `{}`", what.to_string_lossy())).hint(usage));
    }
    let path = std::path::absolute(file).map_err(|error| Failure::io("find", file.as_ref(), &error))?;
    if !path.is_file() {
        let script = if what == "resnet" { "resnet_reference.py" } else { "mochi_reference.py" };
        return Err(Failure::new(format!("there is no file {}", path.display()))
            .hint(format!("{script} writes one: python {script} --out FILE")));
    }
    setup::ensure(place, false)?;
    let mut program = cargo(place);
    program.args(["run", "--release", "--quiet", "--package", "mochi-parity", "--"]).arg(what).arg(path);
    let status = command::status(&mut program)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
