//! The plan of `mochi eval all RUN --plan FILE`: data sets, protocols and their options.
//!
//! ```toml
//! [[data]]                           # the usual images need no name
//! train = "clothes/train"            # relative to this file
//! test = "clothes/test"
//!
//! [[data]]
//! name = "tin50"                     # another data set, whose results are kept apart
//! train = "tin50/train"
//! test = "tin50/val"
//!
//! [[protocol]]
//! name = "knn"
//! k = 20
//!
//! [[protocol]]
//! name = "linear"
//! label_fraction = 0.1
//! data = ["tin50"]                   # by default all data sets; "" is the one without a name
//! ```

use std::path::{Path, PathBuf};

use mochi_config::plan::{self, Place, PlanError, PlanTable};
use mochi_files::read_capped;
use mochi_run::Protocol;

use super::evaluation::Evaluation;
use super::{Labeled, dataset_name};
use crate::failure::{Failure, Outcome};

/// Largest plan file in bytes.
const LIMIT: u64 = 1 << 20;
const PAGE: &str = "docs/guides/results.md";

/// What is evaluated on the images of a data set.
#[derive(Clone)]
pub struct Planned {
    pub labeled: Labeled,
    /// Each with its place in the plan, if there is one.
    pub evaluations: Vec<(Evaluation, Option<Place>)>,
}

/// Reads a plan.
pub fn read(path: &Path) -> Outcome<Vec<Planned>> {
    let text = String::from_utf8(read_capped(path, LIMIT)?).map_err(|_| {
        Failure::new(format!("{} is not UTF-8 text", path.display()), "write the plan in a text editor")
    })?;
    plan::read(path, &text, PAGE, |file| of(path, file)).map_err(|error| {
        let hint = error.hint.clone();
        Failure::new(error.to_string(), hint)
    })
}

fn of(path: &Path, file: &PlanTable) -> Result<Vec<Planned>, PlanError> {
    file.only(&["data", "protocol"])?;
    let beside = path.parent().unwrap_or(Path::new(""));
    let mut planned: Vec<Planned> = Vec::new();
    for table in file.tables("data")? {
        let labeled = labeled(&table, beside)?;
        if planned.iter().any(|one| one.labeled.dataset == labeled.dataset) {
            let message = "two data sets have one name, or none";
            return Err(table.problem(None, message, "give each but one a `name` of its own"));
        }
        planned.push(Planned { labeled, evaluations: Vec::new() });
    }
    if planned.is_empty() {
        return Err(file.problem(None, "it has no data set", "add [[data]] with `train` and `test`"));
    }
    let protocols = file.tables("protocol")?;
    if protocols.is_empty() {
        return Err(file.problem(None, "it has no protocol", "add [[protocol]] with a `name`, such as name = \"knn\""));
    }
    for table in protocols {
        let evaluation = evaluation(&table)?;
        let names = table.texts("data")?;
        if let Some(unknown) = names.iter().flatten().find(|name| !planned.iter().any(|one| one.is_named(name))) {
            let known: Vec<&str> =
                planned.iter().map(|one| one.labeled.dataset.as_deref().unwrap_or_default()).collect();
            let message = format!("unknown data set \"{unknown}\" in `data`");
            return Err(table.problem(Some("data"), &message, &format!("the data sets are {known:?}")));
        }
        for one in &mut planned {
            if names.as_ref().is_none_or(|names| names.iter().any(|name| one.is_named(name))) {
                one.evaluations.push((evaluation.clone(), Some(table.place(None))));
            }
        }
    }
    planned.retain(|one| !one.evaluations.is_empty());
    Ok(planned)
}

impl Planned {
    fn is_named(&self, name: &str) -> bool {
        self.labeled.dataset.as_deref().unwrap_or_default() == name
    }
}

fn labeled(table: &PlanTable, beside: &Path) -> Result<Labeled, PlanError> {
    table.only(&["name", "train", "test"])?;
    let place = |text: &str| if text.contains("://") { PathBuf::from(text) } else { beside.join(text) };
    let dataset = table.text("name")?.map(dataset_name).transpose();
    let dataset = dataset.map_err(|expected| {
        table.problem(Some("name"), &format!("invalid value for `name`: {expected}"), "write e.g. name = \"tin50\"")
    })?;
    Ok(Labeled {
        places: Some(["train", "test"].map(|key| table.place(Some(key)))),
        train: place(table.required("train", table.text("train")?)?),
        test: place(table.required("test", table.text("test")?)?),
        dataset,
    })
}

fn evaluation(table: &PlanTable) -> Result<Evaluation, PlanError> {
    let name = table.required("name", table.text("name")?)?;
    let mut evaluation = Protocol::find(name).and_then(Evaluation::of).ok_or_else(|| {
        let hint = format!("the protocols are {}", Protocol::names_of_images());
        table.problem(Some("name"), &format!("unknown protocol \"{name}\""), &hint)
    })?;
    let whole = |key: &str| Ok(table.whole(key)?.map(|number| usize::try_from(number).unwrap_or(usize::MAX)));
    match &mut evaluation {
        Evaluation::Knn(options) => {
            table.only(&["name", "data", "k", "temperature"])?;
            options.k = whole("k")?;
            options.temperature = table.number("temperature")?.unwrap_or(options.temperature);
        }
        Evaluation::Linear(options, fraction) => {
            table.only(&["name", "data", "label_fraction", "epochs", "learning_rate", "seed"])?;
            *fraction = table.number("label_fraction")?.unwrap_or(*fraction);
            options.epochs = whole("epochs")?;
            options.seed = table.whole("seed")?.unwrap_or(options.seed);
            if let Some(rate) = table.number("learning_rate")? {
                options.learning_rates = vec![rate];
            }
        }
        Evaluation::FewShot(options) => {
            table.only(&["name", "data", "ways", "shots", "queries", "episodes", "seed"])?;
            options.ways = whole("ways")?.unwrap_or(options.ways);
            options.shots = whole("shots")?.unwrap_or(options.shots);
            options.queries = whole("queries")?.unwrap_or(options.queries);
            options.episodes = whole("episodes")?.unwrap_or(options.episodes);
            options.seed = table.whole("seed")?.unwrap_or(options.seed);
        }
        Evaluation::FineTune(options) => {
            table.only(&["name", "data", "label_fraction", "epochs", "batch", "learning_rate", "seed"])?;
            options.label_fraction = table.number("label_fraction")?.unwrap_or(options.label_fraction);
            options.epochs = whole("epochs")?;
            options.batch = whole("batch")?.unwrap_or(options.batch);
            options.seed = table.whole("seed")?.unwrap_or(options.seed);
            if let Some(rate) = table.number("learning_rate")? {
                options.learning_rates = vec![rate];
            }
        }
    }
    Ok(evaluation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_eval::{FewShotOptions, FineTuneOptions, KnnOptions};

    const DATA: &str =
        "[[data]]\ntrain = \"a\"\ntest = \"s3://b\"\n[[data]]\nname = \"tin50\"\ntrain = \"/c\"\ntest = \"d\"\n";

    fn parse(text: &str) -> Result<Vec<Planned>, PlanError> {
        let path = Path::new("plans/eval.toml");
        plan::read(path, text, PAGE, |file| of(path, file))
    }

    #[test]
    fn protocols_apply_to_all_data_sets_or_to_those_that_they_name() {
        let text = format!(
            "{DATA}[[protocol]]\nname = \"knn\"\nk = 3\n[[protocol]]\nname = \"few-shot\"\nshots = 1\ndata = [\"\"]\n\
             [[protocol]]\nname = \"fine-tune-10-percent\"\nepochs = 2\nlearning_rate = 1\ndata = [\"tin50\"]\n"
        );
        let [mut usual, mut other] = parse(&text).unwrap().try_into().ok().unwrap();
        let lines = |planned: &Planned| planned.labeled.places.as_ref().unwrap().clone().map(|place| place.line);
        assert_eq!((lines(&usual), lines(&other)), ([2, 3], [6, 7]));
        let taken = |planned: &mut Planned| -> (Vec<Evaluation>, Vec<usize>) {
            planned.evaluations.drain(..).map(|(evaluation, place)| (evaluation, place.unwrap().line)).unzip()
        };
        let (usual_evaluations, usual_lines) = taken(&mut usual);
        let (other_evaluations, other_lines) = taken(&mut other);
        assert_eq!((usual_lines, other_lines), (vec![8, 11], vec![8, 15]));
        assert_eq!((usual.labeled.train, usual.labeled.test), (PathBuf::from("plans/a"), PathBuf::from("s3://b")));
        assert_eq!((other.labeled.dataset.as_deref(), other.labeled.train), (Some("tin50"), PathBuf::from("/c")));
        let knn = Evaluation::Knn(KnnOptions { k: Some(3), ..KnnOptions::default() });
        let few_shot = Evaluation::FewShot(FewShotOptions { shots: 1, ..FewShotOptions::default() });
        let (epochs, learning_rates) = (Some(2), vec![1.0]);
        let tuned = FineTuneOptions { epochs, learning_rates, label_fraction: 0.1, ..FineTuneOptions::default() };
        assert_eq!(
            (usual_evaluations, other_evaluations),
            (vec![knn.clone(), few_shot], vec![knn, Evaluation::FineTune(tuned)])
        );
    }

    #[test]
    fn problems_are_named_with_their_line() {
        let protocol = "[[protocol]]\nname = \"knn\"\n";
        for (text, wanted) in [
            (protocol.to_owned(), "it has no data set"),
            (DATA.to_owned(), "it has no protocol"),
            (format!("{DATA}[[protocol]]\nk = 3\n"), "line 8: missing key `name`"),
            (format!("{DATA}[[protocol]]\nname = \"knn\"\nepochs = 3\n"), "line 10: unknown key `epochs`"),
            (format!("{DATA}[[protocol]]\nname = \"kn\"\n"), "line 9: unknown protocol \"kn\""),
            (format!("{DATA}{protocol}data = [\"c\"]\n"), "line 10: unknown data set \"c\" in `data`"),
            (
                format!("{DATA}{protocol}k = \"many\"\n"),
                "line 10: invalid value for `k`: expected a whole number from 0, got \"many\"",
            ),
            (format!("{DATA}[[data]]\ntrain = \"x\"\ntest = \"y\"\n"), "line 8: two data sets have one name, or none"),
            (
                "[[data]]\nname = \"a/b\"\n".to_owned(),
                "line 2: invalid value for `name`: expected up to 64 letters, digits, hyphens, underscores and dots",
            ),
            ("[[data]]\ntrain = \"x\"\n".to_owned(), "line 1: missing key `test`"),
        ] {
            let error = parse(&text).err().unwrap();
            assert_eq!(error.problem, wanted);
            assert!(error.to_string().starts_with("plans/eval.toml: ") && !error.hint.is_empty());
        }
    }
}
