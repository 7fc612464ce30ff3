//! Evaluates raw pixels of an IDX or CIFAR folder, and a random projection of them to 64 values, and prints results with times:
//! `cargo run --release -p mochi-eval --example evaluate_pixels -- FOLDER SIZE`.

use mochi_data::{Dataset, Split};
use mochi_eval::{EvalError, Extractor, Features, KnnOptions, LinearOptions, ViewOptions, extract, knn, linear_cached};
use mochi_tensor::{Device, Kind, Tensor, with_seed};
use mochi_views::Augmentation;
use std::time::Instant;

fn main() -> Result<(), EvalError> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_default();
    let size: u32 = arguments.next().and_then(|s| s.parse().ok()).unwrap_or(28);
    mochi_tensor::start(None)?;
    let augmentation = if size == 28 { "gray" } else { "cifar" };
    let augmentation = Augmentation::preset(augmentation).unwrap_or_else(|| unreachable!("both names are presets"));
    let options = ViewOptions::new(augmentation, size);
    let start = Instant::now();
    let read = |split: Split| -> Result<Features, EvalError> {
        extract(&Dataset::open(folder.as_ref(), &split.into())?, Extractor::Pixels, &options, &mut |_| ())
    };
    let (train, test) = (read(Split::Train)?, read(Split::Test)?);
    println!("extraction: {:.1} s", start.elapsed().as_secs_f64());
    evaluate("pixels", &train, &test)?;
    let width = i64::try_from(train.width()).unwrap_or(1);
    let projection = with_seed(0, || Tensor::f_randn([width, 64], (Kind::Float, Device::Cpu)))?;
    let project = |f: Features| -> Result<Features, EvalError> {
        Ok(Features { values: f.values.f_matmul(&projection)?.f_relu()?, ..f })
    };
    evaluate("random 64", &project(train)?, &project(test)?)
}

fn evaluate(name: &str, train: &Features, test: &Features) -> Result<(), EvalError> {
    println!("{name}: {:?}", knn(train, test, &KnnOptions::default(), None, &mut |_| ())?);
    println!("{name}: {:?}", linear_cached(train, test, &LinearOptions::default(), None, &mut |_| ())?);
    Ok(())
}
