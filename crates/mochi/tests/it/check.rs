//! `mochi check` and `mochi augment` on folders with known content.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use crate::common::{images, json, mochi, run, said};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_good_folder_has_no_issues() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 3, 5);
    let found = json(&run(&["check", text(&data), "--json", "data.size=24"]));
    assert_eq!((&found["images"], &found["ok"], &found["page"]), (&15.into(), &true.into(), &serde_json::Value::Null));
    assert_eq!(found["sizes"]["view"], 24);
    assert_eq!(found["sizes"]["smaller_than_view"], 0);
    let output = run(&["check", text(&data), "--preset", "moco-v2"]);
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for words in [
        "formats          PNG 15",
        "mean             [",
        "smaller than a view of 224 px",
        "classes          3; 5 images",
    ] {
        assert!(printed.contains(words), "{words} is not in: {printed}");
    }
}

#[test]
fn bad_files_give_status_1_and_are_escaped_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let (data, page) = (folder.path().join("data"), folder.path().join("page.html"));
    images(&data, 1, 5);
    let place = data.join("class-0");
    std::fs::write(place.join("<b onclick='x'>\"&.png"), b"").unwrap();
    std::fs::write(place.join(OsString::from_vec(b"not-utf8-\xFF\xFE.png".to_vec())), b"words").unwrap();
    let output = run(&["check", text(&data), "--json", "--out", text(&page)]);
    assert_eq!(output.status.code(), Some(1));
    let told = said(&output);
    assert!(told.contains("error: 2 of 7 images are bad (28.6 %); a run fails above 1.0 %"), "{told}");
    assert!(told.contains("hint: repair or remove them, or raise data.max_bad_fraction"), "{told}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["ok"], &found["bad"]["count"], &found["page"]), (&false.into(), &2.into(), &text(&page).into()));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;.png") && !page.contains("<b onclick"));
    assert!(page.contains("not-utf8-\u{FFFD}\u{FFFD}.png"));
    assert!(page.contains("Contact sheet") && page.contains("data:image/jpeg;base64,"));
    // A person reads the table, which holds the same error.
    let output = run(&["check", text(&data)]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(table.matches("2 of 7 images are bad (28.6 %); a run fails").count(), 1, "{table}");
    // An image is not overwritten by a page.
    let photo = folder.path().join("photo.png");
    std::fs::copy(data.join("class-0/deep/000.png"), &photo).unwrap();
    let output = run(&["augment", text(&data), "data.max_bad_fraction=0.5", "--images", "1", "--out", text(&photo)]);
    assert!(said(&output).contains("is not an earlier result"), "{}", said(&output));
    let sheet = folder.path().join("sheet.png");
    for _ in 0..2 {
        assert!(run(&["augment", text(&data), "--images", "1", "--out", text(&sheet)]).status.success());
    }
    // With a higher limit, the same folder passes.
    assert!(run(&["check", text(&data), "data.max_bad_fraction=0.3"]).status.success());
}

#[test]
fn views_are_written_as_a_page_and_as_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 2, 6);
    let sheet = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let mut command = mochi(&["augment", text(&data), "--images", "3", "data.size=24"]);
        let output = command.args(more).arg("--out").arg(&out).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), text(&out));
        std::fs::read(out).unwrap()
    };
    let page = String::from_utf8(sheet("a.html", &[])).unwrap();
    // Eight views of each of three images, as the preset has them.
    assert_eq!(page.matches("data:image/png;base64,").count(), 24);
    assert_eq!(page.matches("<rect class=\"crop").count(), 24);
    assert!(page.contains("24 × 24 at 0, 0") || page.contains("<li>crop <em>"));
    // The same arguments give the same bytes; another seed or epoch gives others.
    assert!(page.as_bytes() == sheet("b.html", &[]) && page.as_bytes() == sheet("c.html", &["--seed", "0"]));
    assert!(
        page.as_bytes() != sheet("d.html", &["--seed", "1"]) && page.as_bytes() != sheet("e.html", &["--epoch", "1"])
    );
    let png = sheet("f.png", &["--size", "40", "--preset", "moco-v2"]);
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (3 * 40 + 4 * 8, 3 * 48 + 8));
}

#[test]
fn invalid_arguments_are_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    images(&data, 1, 2);
    for words in [
        &["check", "no/such/place"][..],
        &["check", text(&data), "data.sise=3"],
        &["augment", text(&data), "--out", "sheet.gif"],
        &["augment", "no/such/place"],
    ] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(said(&output).contains("error: ") && said(&output).contains("hint: "), "{}", said(&output));
        assert!(output.stdout.is_empty());
    }
}
