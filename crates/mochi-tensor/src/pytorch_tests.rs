//! Files that PyTorch wrote (`tests/fixtures/make_checkpoints.py`), damaged ones and hostile ones.

use std::path::PathBuf;

use super::*;
use crate::{WeightsReader, read_tensors};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn tensors_are_those_that_pytorch_saved_in_the_new_and_the_old_format() {
    let floats = |tensor: &Tensor| Vec::<f32>::try_from(tensor.to_kind(Kind::Float).contiguous().view([-1])).unwrap();
    let grid = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25];
    for file in ["plain.pth", "legacy.pth"] {
        let (tensors, metadata) = read_tensors(&fixture(file)).unwrap();
        assert_eq!((tensors.len(), metadata.len()), (12, 0));
        let of = |name: &str| (tensors[name].size(), tensors[name].kind(), floats(&tensors[name]));
        assert_eq!(of("grid"), (vec![2, 3], Kind::Float, grid.to_vec()));
        assert_eq!(of("transposed"), (vec![3, 2], Kind::Float, vec![0.0, 0.75, 0.25, 1.0, 0.5, 1.25]));
        assert_eq!(of("column"), (vec![2], Kind::Float, vec![0.25, 1.0]));
        assert_eq!(of("parameter").2, grid.map(|value| -value));
        assert_eq!(tensors["double"].double_value(&[0]), 0.1);
        assert_eq!(of("half"), (vec![2], Kind::Half, vec![0.5, -2.0]));
        assert_eq!(of("bfloat"), (vec![2], Kind::BFloat16, vec![0.5, -2.0]));
        assert_eq!((tensors["long"].int64_value(&[0]), tensors["long"].kind()), (1 << 62, Kind::Int64));
        assert_eq!(of("small"), (vec![1], Kind::Int16, vec![-3.0]));
        assert_eq!(of("flags"), (vec![2], Kind::Bool, vec![1.0, 0.0]));
        assert_eq!(of("scalar"), (vec![], Kind::Int64, vec![7.0]));
        assert_eq!(of("empty"), (vec![0, 4], Kind::Float, vec![]));
    }
}

#[test]
fn names_are_paths_and_only_what_is_wanted_is_read() {
    let mut reader = WeightsReader::open(&fixture("nested.pth")).unwrap();
    let shapes: BTreeMap<_, _> = reader.shapes().map(|(name, shape)| (name.to_owned(), shape)).collect();
    assert_eq!(shapes["state_dict.conv.weight"], [2, 3]);
    let read = reader.read(|name| name.starts_with("state_dict.")).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["state_dict.conv.weight"]);
}

#[test]
fn damaged_and_other_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.pth");
    for file in ["plain.pth", "legacy.pth", "nested.pth", "numpy2.pkl", "numpy4.pkl"] {
        let bytes = std::fs::read(fixture(file)).unwrap();
        for cut in (0..bytes.len()).step_by(41).chain([bytes.len() - 1]) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let error = read_tensors(&path).unwrap_err();
            assert!(
                matches!(error, TensorError::Format { .. }) && error.hint().is_some(),
                "{file} cut at {cut}: {error:?}"
            );
        }
        // A byte changed anywhere is an error or other values, but no panic.
        for at in (0..bytes.len()).step_by(7) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            let _ = read_tensors(&path);
        }
    }
    for garbage in
        [&b"PK\x03\x04 and no archive"[..], b"\x80\x02}q\x00.", b"\x80\x02garbage", b"just a few words of text"]
    {
        std::fs::write(&path, garbage).unwrap();
        let error = read_tensors(&path).unwrap_err();
        assert!(matches!(error, TensorError::Format { .. }), "{error:?}");
    }
}

#[test]
fn arrays_of_numpy_are_read_from_every_protocol() {
    for protocol in [2, 3, 4, 5] {
        let (tensors, _) = read_tensors(&fixture(&format!("numpy{protocol}.pkl"))).unwrap();
        assert_eq!(tensors.keys().map(String::as_str).collect::<Vec<_>>(), NAMES, "protocol {protocol}");
        let of = |name: &str| {
            let tensor = &tensors[&format!("model.{name}")];
            let values = Vec::<f64>::try_from(tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap();
            (tensor.size(), tensor.kind(), values)
        };
        let grid = vec![0.0, 0.25, 0.5, 0.75, 1.0, 1.25];
        assert_eq!(of("grid"), (vec![2, 3], Kind::Float, grid.clone()));
        assert_eq!(of("columns"), (vec![2, 3], Kind::Float, grid));
        assert_eq!(of("double"), (vec![1], Kind::Double, vec![-0.1]));
        assert_eq!(of("empty"), (vec![0, 4], Kind::Float, vec![]));
        assert_eq!(of("half"), (vec![2], Kind::Half, vec![0.5, -2.0]));
        assert_eq!(of("flags"), (vec![2], Kind::Bool, vec![1.0, 0.0]));
        assert_eq!(of("number"), (vec![], Kind::Int64, vec![-7.0]));
        assert_eq!(of("bytes"), (vec![256], Kind::Uint8, (0..256).map(f64::from).collect()));
    }
    let error = read_tensors(&fixture("numpy_text.pkl")).unwrap_err().to_string();
    assert!(error.ends_with("\"model.names\" cannot be read: it has the unsupported type U3"), "{error}");
}

const NAMES: [&str; 8] = [
    "model.bytes",
    "model.columns",
    "model.double",
    "model.empty",
    "model.flags",
    "model.grid",
    "model.half",
    "model.number",
];

#[test]
fn nothing_in_a_file_is_executed() {
    let error = read_tensors(&fixture("hostile.pth")).unwrap_err();
    assert!(matches!(error, TensorError::Format { .. }), "{error:?}");
    assert!(!Path::new("pickle_was_executed").exists());
}
