//! Reading what the test programs print: counts summed over all of them, and what passing tests left out.

/// What the test programs said, all together.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Tests that passed.
    pub(super) passed: u64,
    /// Tests that failed.
    pub(super) failed: u64,
    /// Lines by which tests said that they left something out, and why: `skipped: ...`.
    pub(super) skipped: Vec<String>,
    /// Names of tests that failed, and programs that ended without a result.
    pub(super) failures: Vec<String>,
    /// Inside the output of passing tests.
    within_passing: bool,
}

impl Report {
    /// Takes one line of the tests' output; true where it is worth showing.
    pub(super) fn take(&mut self, line: &str) -> bool {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.within_passing = false;
            let count = |what: &str| {
                // "ok. 3 passed; 0 failed; 1 ignored; 0 measured; ..."
                let clause = counts.split([';', '.']).map(str::trim).find_map(|clause| clause.strip_suffix(what));
                clause.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
            };
            self.passed += count("passed");
            self.failed += count("failed");
            return true;
        }
        match line {
            "successes:" => self.within_passing = true,
            "failures:" => self.within_passing = false,
            _ => {}
        }
        if line.starts_with("skipped: ") {
            if !self.skipped.iter().any(|known| known == line) {
                self.skipped.push(line.to_owned());
            }
            return false;
        }
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
        // The long list of single passing tests is left out as well; the counts are kept.
        let passing_test = line.starts_with("test ") && line.ends_with("... ok");
        !self.within_passing && !passing_test
    }

    /// Takes one line of what cargo writes: a test program that a signal ended prints no result, and only cargo names it.
    pub(super) fn take_error(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("process didn't exit successfully") && line.contains("(signal: ") {
            self.failures.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\nrunning 3 tests\ntest a ... ok\ntest b ... ok\ntest c ... FAILED\n\nsuccesses:\n\n---- a stdout ----\n\
        skipped: a: needs ../shared\nnoise\n\nsuccesses:\n    a\n    b\n\nfailures:\n\n---- c stdout ----\npanicked at: why\n\n\
        failures:\n    c\n\ntest result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n\
        running 1 test\ntest d ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";

    #[test]
    fn counts_are_summed_over_the_programs() {
        let mut report = Report::default();
        let shown: Vec<&str> = OUTPUT.lines().filter(|line| report.take(line)).collect();
        assert_eq!((report.passed, report.failed), (3, 1));
        assert_eq!(report.skipped, ["skipped: a: needs ../shared"]);
        assert_eq!(report.failures, ["c"]);
        assert!(shown.contains(&"panicked at: why") && shown.contains(&"test c ... FAILED"));
        assert!(!shown.iter().any(|line| line.contains("noise") || line.ends_with("... ok")), "{shown:?}");
    }

    #[test]
    fn a_program_that_crashed_is_named() {
        let mut report = Report::default();
        let crashed = "process didn't exit successfully: `target/debug/deps/it-0a` (signal: 11, SIGSEGV: invalid memory reference)";
        for line in ["error: test failed, to rerun pass `-p a --test it`", "Caused by:", &format!("  {crashed}")] {
            report.take_error(line);
        }
        report.take_error("  process didn't exit successfully: `target/debug/deps/it-0b` (exit status: 101)");
        assert_eq!(report.failures, [crashed]);
    }

    #[test]
    fn nothing_run_counts_nothing() {
        let mut report = Report::default();
        assert!(report.take("error: could not compile `mochi`"));
        assert_eq!((report.passed, report.failed), (0, 0));
    }
}
