//! Where the time of a run went, from its records.
//!
//! ```text
//! t_i = (images_i - images_(i-1)) / images_per_s_i      training of record i, without evaluations and checkpoints; at most what elapsed since record i - 1 and its evaluation
//! waiting = Σ data_wait_fraction_i t_i                  steps = Σ t_i - waiting
//! evaluations: f_k = s_k / (e_k + s_k - s_(k-1) - b)    of the session that began at b, after evaluation k at e_k:
//!              s_k = f_k (e_k - s_(k-1) - b) / (1 - f_k)
//! ```
//!
//! `elapsed_s` counts all sessions, and in a record with an evaluation it is the time before that. What is left of it is neither.

use mochi_figures::{Figure, Part, parts};
use mochi_run::metric::general::{DATA_WAIT_FRACTION, ELAPSED_S, EVALUATION_TIME_FRACTION, IMAGES, IMAGES_PER_S};
use mochi_run::{Record, Session};
use mochi_text::duration;

/// Seconds of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Spent {
    waiting: f64,
    steps: f64,
    evaluations: f64,
    other: f64,
}

/// The figure; `None` where the records do not tell.
pub(crate) fn figure(records: &[Record], sessions: &[Session]) -> Option<Figure> {
    let spent = spent(records, sessions)?;
    let part = |name: &str, value: f64| Part { name: name.to_owned(), text: duration(value), value };
    let mut all = vec![part("training steps", spent.steps), part("waiting for data", spent.waiting)];
    if spent.evaluations > 0.0 {
        all.push(part("evaluations during training", spent.evaluations));
    }
    all.push(part("before the first step, checkpoints, other", spent.other));
    let whole: f64 = all.iter().map(|part| part.value).sum();
    parts("Wall-clock time of training", &duration(whole), &all)
}

fn spent(records: &[Record], sessions: &[Session]) -> Option<Spent> {
    let mut spent = Spent::default();
    let (mut before, mut last_s): (Option<f64>, f64) = (None, 0.0);
    let mut session = Evaluations::default();
    let mut begun = 0;
    let mut any = false;
    for record in records {
        let value = |metric| record.values.get(metric).filter(|value: &f64| value.is_finite() && *value >= 0.0);
        let (Some(images), Some(elapsed)) = (value(&IMAGES), value(&ELAPSED_S)) else { continue };
        // Records of a session come after the steps that were done before it.
        let now = sessions.iter().filter(|session| session.from_step < record.step).count();
        let first = before.is_none() || now > begun;
        begun = begun.max(now);
        let rate = value(&IMAGES_PER_S).filter(|rate| *rate > 0.0);
        let trained = rate.map_or(0.0, |rate| {
            let new = (images - before.unwrap_or_default()).max(0.0);
            (new / rate).min((elapsed - last_s).max(0.0))
        });
        any |= rate.is_some();
        if first {
            spent.evaluations += session.seconds;
            session = Evaluations { begun_s: elapsed - trained, seconds: 0.0 };
        }
        let waiting = value(&DATA_WAIT_FRACTION).unwrap_or(0.0).min(1.0) * trained;
        spent.waiting += waiting;
        spent.steps += trained - waiting;
        last_s = elapsed;
        if let Some(fraction) = value(&EVALUATION_TIME_FRACTION) {
            last_s += session.after(fraction, elapsed);
        }
        before = Some(images);
    }
    spent.evaluations += session.seconds;
    spent.other = (last_s - spent.waiting - spent.steps - spent.evaluations).max(0.0);
    any.then_some(spent)
}

/// Evaluations of a session.
#[derive(Default)]
struct Evaluations {
    /// Seconds of training at its begin.
    begun_s: f64,
    /// Seconds of its evaluations so far.
    seconds: f64,
}

impl Evaluations {
    /// The seconds of an evaluation that began at `elapsed_s` and after which evaluations had taken `fraction` of the session.
    fn after(&mut self, fraction: f64, elapsed_s: f64) -> f64 {
        let session_s = (elapsed_s - self.seconds - self.begun_s).max(0.0);
        let sum = if fraction < 1.0 { fraction * session_s / (1.0 - fraction) } else { self.seconds };
        let own = (sum - self.seconds).max(0.0);
        self.seconds += own;
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_run::Metrics;

    fn record(step: u64, images: f64, rate: f64, wait: f64, elapsed: f64) -> Record {
        let values = Metrics::new()
            .with(&IMAGES, images)
            .with(&IMAGES_PER_S, rate)
            .with(&DATA_WAIT_FRACTION, wait)
            .with(&ELAPSED_S, elapsed);
        Record { step, values }
    }

    fn evaluated(mut record: Record, fraction: f64) -> Record {
        record.values.set(&EVALUATION_TIME_FRACTION, fraction);
        record
    }

    fn close(spent: Spent, wanted: Spent) {
        let values = |s: Spent| [s.waiting, s.steps, s.evaluations, s.other];
        let near = values(spent).into_iter().zip(values(wanted)).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near, "{spent:?}, expected {wanted:?}");
    }

    #[test]
    fn the_parts_of_a_run_are_those_that_it_was_made_of() {
        // 5 s before the first step, 10 s of training, an evaluation of 2 s, 20 s of training, one of 3 s.
        let records = [
            evaluated(record(10, 100.0, 10.0, 0.1, 15.0), 2.0 / 12.0),
            record(20, 200.0, 10.0, 0.2, 27.0),
            evaluated(record(30, 300.0, 10.0, 0.2, 37.0), 5.0 / 35.0),
        ];
        close(spent(&records, &[]).unwrap(), Spent { waiting: 5.0, steps: 25.0, evaluations: 5.0, other: 5.0 });
        // The run goes on in a second session, of which the first record has steps of the first one, and an evaluation of 4 s.
        let resumed = [
            &records[..],
            &[record(40, 500.0, 10.0, 0.0, 50.0), evaluated(record(50, 600.0, 10.0, 0.0, 60.0), 4.0 / 24.0)],
        ]
        .concat();
        let sessions = [Session::begin(0), Session::begin(33)];
        let wanted = Spent { waiting: 5.0, steps: 45.0, evaluations: 9.0, other: 5.0 };
        close(spent(&resumed, &sessions).unwrap(), wanted);
    }

    #[test]
    fn records_that_do_not_tell_have_no_figure() {
        assert_eq!(figure(&[], &[]), None);
        assert_eq!(figure(&[Record { step: 1, values: Metrics::new().with(&ELAPSED_S, 3.0) }], &[]), None);
        let odd = [record(1, f64::NAN, 1.0, 0.0, 1.0), record(2, 10.0, 0.0, 0.0, 2.0)];
        assert_eq!(figure(&odd, &[]), None);
        let odd = [record(1, 10.0, 1e-9, 7.0, 3.0), evaluated(record(2, 5.0, 1.0, 0.5, 1.0), 1.0)];
        let svg = figure(&odd, &[]).unwrap().svg;
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.contains("waiting for data"), "{svg}");
    }

    #[test]
    fn evaluations_are_named_where_there_were_any() {
        let plain = [record(10, 100.0, 10.0, 0.1, 15.0)];
        let svg = figure(&plain, &[]).unwrap().svg;
        assert!(
            svg.contains(">waiting for data <tspan class=\"unit\">1s, 6.7 %<") && !svg.contains("evaluations"),
            "{svg}"
        );
        let svg = figure(&[evaluated(plain[0].clone(), 0.5)], &[]).unwrap().svg;
        assert!(svg.contains(">evaluations during training <tspan class=\"unit\">10s, 40.0 %<"), "{svg}");
    }
}
