//! Every form's slopes against central differences of its own loss, and the cases in which two forms are one.

use super::*;
use proptest::prelude::*;

/// The sums of explicit logits, in the order (x+, negatives).
fn sums(positive: f64, negatives: &[(f64, f64)], t: f64, b: f64) -> Sums {
    let shift = negatives.iter().map(|n| n.0).fold(positive, f64::max);
    let sum = |power: f64| negatives.iter().map(|(x, w)| w * (power * (x - shift)).exp()).sum::<f64>();
    Sums {
        own: (positive - shift).exp(),
        positive: positive - shift,
        shift,
        inverse_t: 1.0 / t,
        count: negatives.iter().map(|n| n.1).sum(),
        plain: sum(1.0),
        tilted: sum(b),
        hard: sum(1.0 + b),
    }
}

proptest! {
    #[test]
    fn slopes_are_the_derivatives_of_the_loss(
        positive in -4.0..5.0f64,
        negatives in prop::collection::vec((-5.0..5.0f64, 0.5..2.0f64), 1..8),
        (c, beta) in (0.0..0.3f64, 0.1..2.0f64),
        which in 0usize..4,
    ) {
        let t = 0.2;
        let form = [Form::InfoNce, Form::Decoupled, Form::Debiased { c }, Form::Hcl { beta, c }][which];
        let loss = |positive: f64, negatives: &[(f64, f64)]| form.slopes(&sums(positive, negatives, t, beta)).loss;
        let here = sums(positive, &negatives, t, beta);
        let slopes = form.slopes(&here);
        // A kink has no derivative: step aside from where the bound begins to hold.
        let (up, down) = (form.slopes(&sums(positive + 1e-4, &negatives, t, beta)), form.slopes(&sums(positive - 1e-4, &negatives, t, beta)));
        prop_assume!((up.plain == 0.0 && up.hard == 0.0) == (down.plain == 0.0 && down.hard == 0.0));
        let e = 1e-5;
        let numeric = (loss(positive + e, &negatives) - loss(positive - e, &negatives)) / (2.0 * e);
        prop_assert!((slopes.positive - numeric).abs() < 1e-5 * (1.0 + numeric.abs()), "positive {} against {numeric}", slopes.positive);
        for at in 0..negatives.len() {
            let moved = |by: f64| {
                let mut moved = negatives.clone();
                moved[at].0 += by;
                moved
            };
            prop_assume!((form.slopes(&sums(positive, &moved(1e-4), t, beta)).plain == 0.0) == (slopes.plain == 0.0));
            let numeric = (loss(positive, &moved(e)) - loss(positive, &moved(-e))) / (2.0 * e);
            let (x, w) = (negatives[at].0 - here.shift, negatives[at].1);
            let ours = w * (slopes.plain * x.exp() + slopes.tilted * (beta * x).exp() + slopes.hard * ((1.0 + beta) * x).exp());
            prop_assert!((ours - numeric).abs() < 1e-4 * (1.0 + numeric.abs()), "negative {at}: {ours} against {numeric}");
        }
    }

    #[test]
    fn no_false_negatives_and_no_tilt_are_infonce(positive in -4.0..5.0f64, negatives in prop::collection::vec((-5.0..5.0f64, 1.0..=1.0f64), 1..8)) {
        let t = 0.2;
        let plain = Form::InfoNce.slopes(&sums(positive, &negatives, t, 1.0));
        let debiased = Form::Debiased { c: 0.0 }.slopes(&sums(positive, &negatives, t, 1.0));
        prop_assert!((plain.loss - debiased.loss).abs() < 1e-12 && (plain.positive - debiased.positive).abs() < 1e-12);
        // b -> 0: every weight is 1.
        let hcl = Form::Hcl { beta: 1e-9, c: 0.0 }.slopes(&sums(positive, &negatives, t, 1e-9));
        prop_assert!((plain.loss - hcl.loss).abs() < 1e-6);
    }
}

#[test]
fn options_out_of_range_are_named() {
    for form in [
        Form::Debiased { c: 1.0 },
        Form::Hcl { beta: 0.0, c: 0.1 },
        Form::Hcl { beta: 1.0, c: -0.1 },
        Form::Debiased { c: f64::NAN },
    ] {
        assert!(matches!(form.check(), Err(ContrastError::Option { option: "moco.loss", .. })), "{form:?}");
    }
}
