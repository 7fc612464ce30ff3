//! The rows, in the order in which they are checked: what works first, then how fast.

use std::path::PathBuf;

use super::assess;
use super::card::{FORMAT, QUERY};
use super::row::{Program, Row, Task};

/// What the rows depend on.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    /// Number of cards.
    pub(super) cards: usize,
    /// Whether the first card has TF32 units.
    pub(super) has_tf32: bool,
    /// Images of a timed step.
    pub(super) batch: u32,
    /// Generated pictures, below the repository's root or absolute.
    pub(super) pictures: String,
    /// What the training run trains on.
    pub(super) data: String,
    /// Folder of the runs, as it appears in commands.
    pub(super) scratch: String,
    /// The same as a path.
    pub(super) folder: PathBuf,
    /// Why there is no PyTorch to compare with.
    pub(super) no_peer: Option<String>,
}

const NO_TF32: &str = "the card has no TF32 units (compute capability below 8.0)";

/// All rows.
pub(super) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = vec![
        Row::new("card and driver", vec![Task::new(Program::NvidiaSmi, &format!("{QUERY} {FORMAT}"))], assess::cards),
        Row::new("libtorch, memory, default precision", vec![mochi("doctor --json")], assess::doctor).assessed_anyway(),
        Row::new("CUDA libraries load, first CUDA tensor", vec![mochi("doctor --json")], assess::first_sum)
            .assessed_anyway(),
    ];
    rows.extend(precisions(scene));
    let nccl = "test --release --package mochi-tensor --lib -- collectives::nccl_tests --show-output";
    rows.push(Row::new("NCCL with one rank", vec![Task::new(Program::Cargo, nccl)], assess::nccl));
    rows.push(
        Row::new("NCCL with two ranks", vec![mochi("bench ranks --processes 2 --json")], assess::ranks)
            .only_if(scene.cards > 1, "there is one card"),
    );
    rows.push(training(scene));
    rows.extend(steps(scene));
    rows
}

fn mochi(line: &str) -> Task {
    Task::new(Program::Mochi, line)
}

/// Three training steps from the same seed, on the CPU and on the GPU in each precision.
fn precisions(scene: &Scene) -> Vec<Row> {
    let run = |name: &str, device: &str, precision: &str| {
        mochi(&format!(
            "pretrain {} --preset moco-v2 --out {}/{name} seed=1 model.arch=resnet18 data.size=32 moco.batch=32 moco.queue=512 \
             moco.bn_groups=1 optimizer.learning_rate=1e-4 epochs=0.05 log.every_steps=1 compute.device={device} compute.precision={precision}",
            scene.pictures, scene.scratch
        ))
    };
    let [cpu, float32, tf32, bf16] =
        ["cpu", "cuda-float32", "cuda-tf32", "cuda-bf16"].map(|name| scene.folder.join(name));
    let (to_tf32, to_bf16) = ((cpu.clone(), float32.clone(), tf32), (cpu.clone(), bf16));
    vec![
        Row::new(
            "three steps in float32 equal the CPU's",
            vec![run("cpu", "cpu", "float32"), run("cuda-float32", "cuda", "float32")],
            move |_| assess::float32(&cpu, &float32),
        ),
        Row::new("TF32 is a setting of its own", vec![run("cuda-tf32", "cuda", "tf32")], move |_| {
            assess::tf32(&to_tf32.0, &to_tf32.1, &to_tf32.2)
        })
        .only_if(scene.has_tf32, NO_TF32),
        Row::new("three steps in bf16 are near the CPU's", vec![run("cuda-bf16", "cuda", "bf16")], move |_| {
            assess::bf16(&to_bf16.0, &to_bf16.1)
        }),
    ]
}

/// A run of one minute, and its evaluation.
fn training(scene: &Scene) -> Row {
    let (data, run) = (&scene.data, format!("{}/run", scene.scratch));
    let train = mochi(&format!("pretrain {data} --time 1m --out {run} --json compute.device=cuda"));
    let evaluate = mochi(&format!("eval knn {run} --train {data} --test {data} --json"));
    Row::new("one minute of training and k-NN", vec![train, evaluate], assess::training)
}

/// Timed steps of ResNet-50. Compiled ones come last, because compiling takes most of their time.
fn steps(scene: &Scene) -> Vec<Row> {
    let sizes = format!("--arch resnet50 --size 224 --batch {} --steps 20 --warmup 3 --device cuda", scene.batch);
    let ours = |precision: &'static str| {
        let line = format!("bench step --plain-only --json {sizes} --precision {precision}");
        timed(precision, "Mochi", vec![mochi(&line)], assess::step)
    };
    let theirs = |precision: &'static str, name: &'static str, mode: &str| {
        let line = format!("xtask/peers/moco_step.py --mode {mode} {sizes} --precision {precision}");
        let assess = if mode == "compiled" { assess::compiled_step } else { assess::step };
        let row = timed(precision, name, vec![Task::new(Program::Python, &line)], assess);
        row.only_if(scene.no_peer.is_none(), scene.no_peer.as_deref().unwrap_or_default())
    };
    let (shipped, tuned, compiled) = ("PyTorch as shipped", "PyTorch tuned", "PyTorch compiled");
    let all = [
        ours("float32"),
        ours("tf32"),
        ours("bf16"),
        theirs("float32", shipped, "as-shipped"),
        theirs("bf16", tuned, "tuned"),
        theirs("tf32", tuned, "tuned"),
        theirs("float32", tuned, "tuned"),
        theirs("bf16", compiled, "compiled"),
        theirs("tf32", compiled, "compiled"),
        theirs("float32", compiled, "compiled"),
    ];
    let possible = |row: Row| match row.timed {
        Some(("tf32", _)) => row.only_if(scene.has_tf32, NO_TF32),
        _ => row,
    };
    all.into_iter().map(possible).collect()
}

fn timed(
    precision: &'static str,
    program: &'static str,
    tasks: Vec<Task>,
    assess: fn(&[String]) -> Result<String, String>,
) -> Row {
    let mut row = Row::new(&format!("ResNet-50 step, 224 px, {precision}: {program}"), tasks, assess);
    row.timed = Some((precision, program));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> Scene {
        Scene {
            cards: 2,
            has_tf32: true,
            batch: 64,
            pictures: "here/pictures".to_owned(),
            data: "here/pictures".to_owned(),
            scratch: "here".to_owned(),
            folder: PathBuf::from("here"),
            no_peer: None,
        }
    }

    fn left_out(scene: &Scene) -> Vec<String> {
        rows(scene).into_iter().filter(|row| row.not_here.is_some()).map(|row| row.what).collect()
    }

    #[test]
    fn rows_are_left_out_by_what_the_machine_lacks() {
        assert!(left_out(&scene()).is_empty());
        assert_eq!(left_out(&Scene { cards: 1, ..scene() }), ["NCCL with two ranks"]);
        assert_eq!(left_out(&Scene { no_peer: Some("no network".to_owned()), ..scene() }).len(), 7);
        let old = left_out(&Scene { has_tf32: false, ..scene() });
        assert_eq!(old.len(), 4);
        assert!(old.iter().all(|what| what.to_lowercase().contains("tf32")), "{old:?}");
    }

    #[test]
    fn every_command_that_trains_or_times_names_its_device() {
        for row in rows(&scene()) {
            for task in row.tasks {
                let line = task.line();
                let computes = line.contains("pretrain") || line.contains(" step ") || line.contains("moco_step");
                assert!(!computes || line.contains("device=c") || line.contains("--device cuda"), "{line}");
            }
        }
    }
}
