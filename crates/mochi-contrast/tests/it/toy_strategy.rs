//! A strategy that only this test knows, from its specification alone: configuration, CPU path and device path against explicit synthesis.

use mochi_config::Selection;
use mochi_contrast::{Context, DrawKey, Objective, Strategy, info_nce, oracle};
use mochi_contrast_core::strategies::{Coefficient, Linear, STRATEGIES, Sampling, SecondParent};
use mochi_contrast_core::{Argument, Range, Spec};
use mochi_tensor::{Device, Kind, Tensor};

/// `normalize(b (0.3 q + 0.7 n_j) + (1 - b) n_i)`, b ~ U(0, max), counted w times: query and two parents together, which no other strategy has.
static THREE_WAY: Spec<Strategy> = Spec {
    name: "three-way",
    doc: "Query and two parents together.",
    arguments: &[
        Argument {
            name: "s",
            range: Range::Integer { min: 0, max: 100 },
            default: 8.0,
            doc: "Synthetic negatives per query.",
        },
        Argument { name: "max", range: Range::Number { min: 0.0, max: 1.0 }, default: 0.5, doc: "Upper end of b." },
        Argument { name: "w", range: Range::Number { min: 0.0, max: 9.0 }, default: 1.0, doc: "Weight." },
    ],
    build: |values| Strategy {
        sampling: Sampling::Random {
            count: values[0] as usize,
            second: SecondParent::Any,
            coefficient: Some(Coefficient::uniform(0.0, values[1])),
        },
        query: Linear { constant: 0.0, slope: 0.3 },
        first: Linear::COMPLEMENT,
        second: Linear { constant: 0.0, slope: 0.7 },
        weight: values[2],
        ..Strategy::copies("three-way", 100, values[0] as usize)
    },
};

fn unit_rows(n: i64, d: i64, seed: f64) -> Tensor {
    let values = ((Tensor::arange(n * d, (Kind::Double, Device::Cpu)) * 78.233 + seed).sin() * 43758.5453).frac();
    let rows = values.view([n, d]) - 0.5;
    &rows / rows.norm_scalaropt_dim(2, [1i64].as_slice(), true)
}

#[test]
fn a_strategy_is_one_file_and_one_line() {
    let table: Vec<&'static Spec<Strategy>> = STRATEGIES.iter().copied().chain([&THREE_WAY]).collect();
    let value = |text: &str| format!("value = {text}").parse::<toml::Table>().unwrap().remove("value").unwrap();
    for (text, kept) in [("\"three-way\"", 8), ("{ three-way = { s = 11, max = 0.9, w = 2.5 } }", 11)] {
        let strategy = Selection::read(&value(text), &table).unwrap().build();
        assert_eq!(strategy.count(20), kept);
        let mut objective = Objective::mochi(0.2, 20, 5, 5);
        objective.strategies.push(strategy);
        let [query, key, candidates] = [unit_rows(4, 12, 1.0), unit_rows(4, 12, 2.0), unit_rows(60, 12, 3.0)];
        let draws = DrawKey { seed: 3, step: 7, ..DrawKey::default() };
        let context = Context { draws, ..Context::default() };

        let leaf = query.copy().set_requires_grad(true);
        let (explicit, _) = oracle::info_nce(&leaf, &key, &candidates, &objective, &context).unwrap();
        explicit.backward();
        let (value, gradient) = (explicit.double_value(&[]), leaf.grad());
        for (kind, bound) in [(Kind::Double, 1e-11), (Kind::Float, 1e-5)] {
            let [q, k, n] = [&query, &key, &candidates].map(|rows| rows.to_kind(kind));
            let loss = info_nce(&q, &k, &n, &objective, &context).unwrap();
            assert!((loss.value - value).abs() < bound * (1.0 + value), "{kind:?}: {} against {value}", loss.value);
            let off = (loss.gradient.to_kind(Kind::Double) - &gradient).abs().max().double_value(&[]);
            assert!(off < bound, "{kind:?}: gradient off by {off:e}");
        }
        objective.strategies.pop();
        let without = info_nce(&query, &key, &candidates, &objective, &context).unwrap();
        assert!((without.value - value).abs() > 1e-2);
    }
}
