//! Reading plans.

use super::*;

const DATA: &str = "[data]\nimages = \"a\"\ntrain = \"/b\"\ntest = \"s3://c\"\n";

fn parse(text: &str) -> Result<Plan, AblateError> {
    Plan::parse(Path::new("plans/queue.toml"), text.to_owned())
}

#[test]
fn a_plan_has_defaults_and_paths_relative_to_itself() {
    let plan = parse(&format!("{DATA}[[axis]]\nkey = \"moco.queue\"\nvalues = [64, \"auto\"]\n")).unwrap();
    assert_eq!((plan.name.as_str(), plan.design, &plan.seeds[..]), ("queue", Design::Grid, &[0][..]));
    assert_eq!(plan.evaluate, Protocol::DEFAULT);
    assert_eq!(plan.images, std::path::absolute("plans/a").unwrap());
    assert_eq!(
        (plan.images_as_written.as_str(), &plan.labeled),
        ("a", &[PathBuf::from("/b"), PathBuf::from("s3://c")])
    );
    let of = |label: &str, setting: &str| AxisValue { label: label.into(), settings: vec![setting.into()], line: 6 };
    let values = vec![of("64", "moco.queue=64"), of("auto", "moco.queue=\"auto\"")];
    assert_eq!(plan.axes, [Axis { name: "moco.queue".into(), key: Some("moco.queue".into()), values }]);
}

#[test]
fn an_axis_of_tables_sets_several_keys() {
    let axis = "[[axis]]\nname = \"method\"\nvalues = [{ name = \"MoCo\", negatives.pairs = 0, seed = 3 }]\n";
    let plan = parse(&format!("{DATA}{axis}")).unwrap();
    assert_eq!(plan.axes[0].values[0].label, "MoCo");
    assert_eq!(plan.axes[0].values[0].settings, ["negatives.pairs=0", "seed=3"]);
    let keyed = "[[axis]]\nkey = \"moco.temperature\"\nvalues = [0.2]\n\
                 [[axis]]\nname = \"K\"\nkey = \"moco.queue\"\nvalues = [64]\n";
    let plan = parse(&format!("{DATA}{keyed}{axis}")).unwrap();
    let labels = ["0.2", "64", "MoCo"].map(str::to_owned);
    assert_eq!(plan.described(&labels), "temperature = 0.2, K = 64, MoCo");
}

#[test]
fn problems_are_named() {
    let axis = "[[axis]]\nkey = \"moco.queue\"\nvalues = [64]\n";
    let cases = [
        (format!("seeds = [1, 1]\n{DATA}{axis}"), "each once"),
        (format!("seeds = []\n{DATA}{axis}"), "at least one seed"),
        (format!("hours = 0\n{DATA}{axis}"), "above 0"),
        (format!("hours = nan\n{DATA}{axis}"), "above 0"),
        (format!("evaluate = []\n{DATA}{axis}"), "no protocol"),
        (format!("evaluate = [\"detection\"]\n{DATA}{axis}"), "unknown protocol \"detection\""),
        (format!("sed = [1]\n{DATA}{axis}"), "line 1: unknown key `sed`"),
        (format!("seeds = [\"a\"]\n{DATA}{axis}"), "line 1: invalid value for `seeds`: expected a list of whole"),
        (format!("design = \"all\"\n{DATA}{axis}"), "line 1: invalid value for `design`"),
        (format!("{DATA}{axis}x = 1\n"), "line 8: unknown key `x`"),
        (format!("{DATA}x = 1\n{axis}"), "line 5: unknown key `x`"),
        (axis.to_owned(), "queue.toml: missing key `data`"),
        (DATA.to_owned(), "queue.toml: it has no axis"),
        (format!("{DATA}[[axis]]\nkey = \"moco.queue\"\nvalues = []\n"), "has no values"),
        (format!("{DATA}[[axis]]\nvalues = [1]\n"), "neither `key` nor `name`"),
        (format!("{DATA}[[axis]]\nname = \"m\"\nvalues = [1]\n"), "must be tables, got 1"),
        (format!("{DATA}[[axis]]\nname = \"m\"\nvalues = [{{ seed = 1 }}]\n"), "has no name"),
        (format!("{DATA}[[axis]]\nkey = \"seed\"\nvalues = [1]\n"), "`seed` is no axis"),
        (format!("evaluate = [\"detection-ap\"]\n{DATA}{axis}"), "line 1: \"detection-ap\" needs a detector"),
        (format!("{DATA}{axis}[detection]\nbatch = 3\n"), "line 8: missing key `images`"),
        (format!("{DATA}{axis}[detection]\nimages = \"a\"\nseed = 1\n"), "line 10: `seed` in [detection]"),
        (
            format!("{DATA}{axis}[detection]\nimages = \"a\"\nepochs = 1\n"),
            "line 10: unknown key `epochs` ([detection])",
        ),
        (format!("{DATA}{axis}[detection]\nimages = \"a\"\n[detection.data]\nbatch = 0\n"), "line 11: invalid value"),
        (
            format!(
                "evaluate = [\"detection-ap\", \"segmentation-ap50\"]\n{DATA}{axis}[detection]\nimages = \"a\"\nmodel.masks = false\n"
            ),
            "line 1: \"segmentation-ap50\" needs masks, and [detection] has model.masks = false",
        ),
        (format!("{DATA}{axis}[base]\nepoch = 1\n"), "line 9: unknown key `epoch` ([base])"),
        (format!("{DATA}{axis}[base]\nmoco.queue = 3\nmoco.batch = -1\n"), "line 10: invalid value for `moco.batch`"),
        (format!("{DATA}{axis}[base]\nextends = \"moco\"\n"), "line 9: unknown preset"),
        (format!("{DATA}{axis}{axis}"), "two axes have one name"),
        (format!("{DATA}[[axis]]\nkey = \"moco.queue\"\nvalues = [64, 64]\n"), "\"moco.queue\" have one name"),
        (format!("{DATA}{axis}[base]\nseed = 5\n"), "`seed` in [base]"),
    ];
    for (text, part) in cases {
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().contains(part), "{error}: expected {part}");
        assert!(error.to_string().starts_with("plans/queue.toml: ") && error.hint().is_some());
    }
}
