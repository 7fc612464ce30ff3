//! Files come back as they were; a header that does not describe its file is an error before anything is read.

use super::*;

fn written() -> (tempfile::TempDir, PathBuf, BTreeMap<String, Tensor>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let tensors = BTreeMap::from([
        ("a.weight".to_owned(), Tensor::from_slice(&[1.5f32, -2.0, f32::NAN]).view([1, 3])),
        ("n".to_owned(), Tensor::from_slice(&[i64::MAX])),
        ("half".to_owned(), Tensor::from_slice(&[0.1f32, 3.0]).to_kind(Kind::BFloat16)),
        ("empty".to_owned(), Tensor::zeros([0, 4], (Kind::Double, Device::Cpu))),
        ("scalar".to_owned(), Tensor::from(7i64)),
    ]);
    let metadata = BTreeMap::from([("arch".to_owned(), "resnet18".to_owned())]);
    write_tensors(&path, &tensors, &metadata).unwrap();
    (folder, path, tensors)
}

#[test]
fn tensors_come_back_as_they_were_and_damage_is_an_error() {
    let (_folder, path, tensors) = written();
    let (back, metadata) = read_tensors(&path).unwrap();
    assert_eq!(metadata["arch"], "resnet18");
    assert_eq!(back.keys().collect::<Vec<_>>(), tensors.keys().collect::<Vec<_>>());
    for (name, tensor) in &tensors {
        assert_eq!((back[name].size(), back[name].kind()), (tensor.size(), tensor.kind()), "{name}");
    }
    assert_eq!((&back["n"], &back["scalar"]), (&tensors["n"], &tensors["scalar"]));
    assert_eq!(back["half"], tensors["half"]);
    assert!(back["a.weight"].double_value(&[0, 2]).is_nan());

    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 4, 20, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(matches!(read_tensors(&path), Err(TensorError::Format { .. })), "cut at {cut}");
    }
    std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(matches!(read_tensors(&path), Err(TensorError::Format { .. })), "a byte too many");
    assert!(matches!(read_tensors(Path::new("/dev/null")), Err(TensorError::Format { .. })));
}

#[test]
fn only_what_is_wanted_is_read() {
    let (_folder, path, _) = written();
    let mut reader = WeightsReader::open(&path).unwrap();
    assert!(reader.shapes().any(|(name, shape)| name == "empty" && shape == [0, 4]));
    assert_eq!(reader.metadata().len(), 1);
    assert_eq!(reader.read(|name| name == "n").unwrap().into_keys().collect::<Vec<_>>(), ["n"]);
    assert_eq!(reader.read(|_| true).unwrap().len(), 5, "it can be read again");
}

/// A file with this header, followed by `data` bytes.
fn file(header: &str, data: &[u8]) -> Result<WeightsFile, TensorError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()).unwrap();
    read_tensors(&path)
}

/// Security review, S23: refused before libtorch, and a long shape is not printed whole.
#[test]
fn s23_shapes_with_zero_and_huge_sides_are_refused_with_the_file_and_a_hint() {
    let entry = |shape: &str| format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[0,0]}}}}");
    let many = vec!["0"; 5000].join(",");
    for shape in ["0,9223372036854775807", "0,4294967296,4294967296", &many] {
        let error = file(&entry(shape), &[]).unwrap_err();
        assert!(matches!(error, TensorError::Format { .. }) && error.hint().is_some(), "{error}");
        assert!(error.to_string().len() < 300, "{error}");
    }
    assert_eq!(file(&entry("0,4"), &[]).unwrap().0["w"].size(), [0, 4]);
}

/// Security review, S7: a sparse file of 3 GiB ended by running out of memory.
#[test]
fn s7_a_header_that_does_not_describe_the_file_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    let sparse = File::create(&path).unwrap();
    sparse.set_len(3 << 30).unwrap();
    assert!(matches!(read_tensors(&path), Err(TensorError::Format { .. })), "an empty header");
    std::fs::write(&path, (1u64 << 30).to_le_bytes()).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(3 << 30).unwrap();
    let error = read_tensors(&path).unwrap_err().to_string();
    assert!(error.contains("neither a safetensors file nor one of PyTorch"), "{error}");
    let two = |second: &str| {
        format!(
            "{{\"a\":{{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}},\"b\":{{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":{second}}}}}"
        )
    };
    assert_eq!(file(&two("[2,4]"), &[1, 2, 3, 4]).unwrap().0["b"].int64_value(&[1]), 4);
    for (second, data) in [("[1,3]", 3), ("[3,5]", 5), ("[2,5]", 5), ("[4,2]", 4), ("[2,4]", 5), ("[2,4]", 3)] {
        assert!(matches!(file(&two(second), &vec![0; data]), Err(TensorError::Format { .. })), "{second} of {data}");
    }
}

/// Security review, S10: bytes other than 0 and 1 are undefined behavior in a C++ bool.
#[test]
fn s10_booleans_are_zero_or_one() {
    let header = "{\"m\":{\"dtype\":\"BOOL\",\"shape\":[4],\"data_offsets\":[0,4]}}";
    let mask = file(header, &[0, 1, 7, 255]).unwrap().0.remove("m").unwrap();
    assert_eq!(Vec::<i64>::try_from(mask.to_kind(Kind::Uint8).to_kind(Kind::Int64)).unwrap(), [0, 1, 1, 1]);
}

#[test]
fn a_text_in_the_place_of_weights_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let long = "Gewichte für später, ".repeat(40);
    for (text, shown) in [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            "\"version https://git-lfs.github.com/spec/v1\"",
        ),
        ("short", "\"short\""),
        (long.as_str(), "\"Gewichte für später, Gewichte für später, Gewichte für späte\""),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = read_tensors(&path).unwrap_err();
        let wanted = format!("is not a usable weight file: it is text that begins with {shown}");
        assert!(error.to_string().ends_with(&wanted) && error.hint().is_some(), "{error}");
    }
}

#[test]
fn weights_that_are_not_finite_are_refused_where_a_network_starts_from_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let of = |value: f64| Tensor::from_slice(&[1.0, value]).to_kind(Kind::Float);
    write_tensors(&path, &[("a".to_owned(), of(2.0)), ("b".to_owned(), of(f64::NAN))].into(), &BTreeMap::new())
        .unwrap();
    let mut reader = WeightsReader::open(&path).unwrap();
    assert_eq!(reader.read_finite(|name| name == "a").unwrap().len(), 1);
    let error = reader.read_finite(|_| true).unwrap_err().to_string();
    assert!(error.ends_with("its tensor \"b\" holds values that are not finite"), "{error}");
}
