use proptest::prelude::*;

use super::*;

fn rows(text: &[&str]) -> Vec<bool> {
    text.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect()
}

fn rle(text: &[&str]) -> Rle {
    Rle::from_rows(&rows(text), text.len() as u32, text[0].len() as u32).unwrap()
}

#[test]
fn runs_go_down_the_columns_and_begin_with_background() {
    let mask = rle(&["#..", "##."]);
    assert_eq!(mask.counts, [0, 2, 1, 1, 2]);
    assert_eq!((mask.area(), mask.bounds()), (3, Some([0.0, 0.0, 2.0, 2.0])));
    assert_eq!(mask.to_rows(), rows(&["#..", "##."]));
    assert_eq!(rle(&["...", "..."]).bounds(), None);
    assert_eq!(Rle::new(2, 3, vec![0, 2, 1, 1, 2]), Ok(mask));
}

#[test]
fn runs_of_another_length_are_refused() {
    for counts in [vec![], vec![5], vec![3, 4], vec![u32::MAX, u32::MAX]] {
        let error = Rle::new(2, 3, counts).unwrap_err().to_string();
        assert!(error.contains("the mask of 3 x 2 has 6"), "{error}");
    }
    let text = rle(&["#..#", "##.#", "...."]).to_compressed();
    assert!(Rle::from_compressed(&text, 3, 4).is_ok());
    for cut in 0..text.len() {
        assert!(Rle::from_compressed(&text[..cut], 3, 4).is_err(), "cut at {cut}");
    }
    assert!(Rle::from_rows(&[true; 5], 2, 3).is_err());
}

proptest! {
    #[test]
    fn conversions_keep_every_pixel(width in 1u32..9, height in 1u32..9, seed in any::<u64>()) {
        let pixels: Vec<bool> = (0..width * height).map(|i| seed.rotate_left(i * 7) & 1 == 1).collect();
        let mask = Rle::from_rows(&pixels, height, width).unwrap();
        prop_assert_eq!(&mask.to_rows(), &pixels);
        prop_assert_eq!(mask.area(), pixels.iter().filter(|&&p| p).count() as u64);
        prop_assert_eq!(&Rle::from_compressed(&mask.to_compressed(), height, width).unwrap(), &mask);
    }
}
