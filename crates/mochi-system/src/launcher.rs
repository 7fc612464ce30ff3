//! The place of this process among those that a launcher started: torchrun, Slurm's srun, `mochi launch`, or variables set by hand.
//!
//! | variable | set by | meaning |
//! |---|---|---|
//! | `WORLD_SIZE`, `RANK`, `LOCAL_RANK`, `LOCAL_WORLD_SIZE` | torchrun | number of processes and this one's place, in all and on its machine |
//! | `SLURM_NTASKS`, `SLURM_PROCID`, `SLURM_LOCALID` | srun | the same |
//! | `MASTER_ADDR`, `MASTER_PORT` | torchrun, or by hand | where rank 0 is reached |
//! | `TORCHELASTIC_USE_AGENT_STORE` | torchrun | `True`: the launcher serves the store at `MASTER_PORT`; otherwise rank 0 does |
//! | `TORCHELASTIC_RUN_ID`, `SLURM_JOB_ID`, `SLURM_STEP_ID` | both | keep one job apart from another in the same store |
//! | `TORCHELASTIC_RESTART_COUNT` | torchrun | how often it has started the job again; it differs between the machines of a job |
//! | `MOCHI_RANK_TIMEOUT` | by hand | seconds that a process waits for the others [600] |

use std::time::Duration;

/// How long a process waits for the others unless told.
const TIMEOUT: Duration = Duration::from_secs(600);

/// This process among those that were started together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Rank, from 0.
    pub rank: usize,
    /// Number of processes, two or more.
    pub world_size: usize,
    /// Rank among the processes of this machine, from 0.
    pub local_rank: usize,
    /// Number of processes on this machine; 1 where the launcher does not tell.
    pub local_world_size: usize,
    /// Name or address of rank 0's machine.
    pub host: String,
    /// Port of the store there.
    pub port: u16,
    /// Whether the launcher serves the store.
    pub launcher_serves: bool,
    /// Name of this job: prefix of its keys in the store.
    pub job: String,
    /// How often the launcher has started the job again after a failure.
    pub restarts: usize,
    /// How long a process waits for the others.
    pub timeout: Duration,
}

/// Variables of a launcher that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LauncherError(String);

impl std::fmt::Display for LauncherError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LauncherError {}

impl LauncherError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        if self.0.starts_with("MOCHI_") {
            return Some("set it to a number of seconds, or unset it".into());
        }
        if self.0.contains("MASTER_") {
            return Some("export MASTER_ADDR, the host of rank 0, and MASTER_PORT, a free port there (docs/guides/distributed.md)".into());
        }
        Some("start the processes with `mochi launch`, torchrun or srun (docs/guides/distributed.md), or unset WORLD_SIZE to train in one".into())
    }
}

/// Reads the launcher's variables; `None` for a process on its own, also within a Slurm allocation without srun.
///
/// # Errors
/// A number that is none, a variable that is missing, a rank that is not below the number of processes.
pub fn launched() -> Result<Option<Launched>, LauncherError> {
    read(|name| std::env::var(name).ok())
}

fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Launched>, LauncherError> {
    let text = |name: &str| variable(name).filter(|value| !value.is_empty());
    let number = |name: &str| -> Result<Option<usize>, LauncherError> {
        let bad = |value: &str| LauncherError(format!("{name} is {value:?}, which is not a whole number"));
        text(name).map(|value| value.parse().map_err(|_| bad(&value))).transpose()
    };
    // In a Slurm job the tasks are those of srun; a batch script itself is no task (it has no SLURM_STEP_ID).
    let slurm = text("WORLD_SIZE").is_none() && text("SLURM_STEP_ID").is_some();
    let [size, rank, local_rank] = if slurm {
        ["SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"]
    } else {
        ["WORLD_SIZE", "RANK", "LOCAL_RANK"]
    };
    let Some(world_size) = number(size)?.or(if slurm { number("SLURM_NTASKS")? } else { None }) else {
        return Ok(None);
    };
    if world_size == 0 {
        return Err(LauncherError(format!("{size} is 0")));
    }
    if world_size == 1 {
        return Ok(None);
    }
    let needed = |name: &str, value: Option<usize>| {
        value.ok_or_else(|| LauncherError(format!("{size} is {world_size}, but {name} is not set")))
    };
    let rank_number = needed(rank, number(rank)?)?;
    if rank_number >= world_size {
        return Err(LauncherError(format!("{rank} is {rank_number}, which is not below {size}, {world_size}")));
    }
    let address =
        |name: &str| text(name).ok_or_else(|| LauncherError(format!("{size} is {world_size}, but {name} is not set")));
    let (host, port) = (address("MASTER_ADDR")?, address("MASTER_PORT")?);
    let port = port.parse().map_err(|_| LauncherError(format!("MASTER_PORT is {port:?}, which is not a port")))?;
    let of_job = ["TORCHELASTIC_RUN_ID", "SLURM_JOB_ID", "SLURM_STEP_ID"];
    let job: Vec<String> = of_job.iter().map(|name| text(name).unwrap_or_default()).collect();
    let timeout = match number("MOCHI_RANK_TIMEOUT")? {
        Some(0) => return Err(LauncherError("MOCHI_RANK_TIMEOUT is 0, which leaves no time to wait".to_owned())),
        Some(seconds) => Duration::from_secs(seconds as u64),
        None => TIMEOUT,
    };
    Ok(Some(Launched {
        rank: rank_number,
        world_size,
        local_rank: number(local_rank)?.unwrap_or(0),
        local_world_size: number("LOCAL_WORLD_SIZE")?
            .or(tasks_here(text("SLURM_STEP_TASKS_PER_NODE")))
            .unwrap_or(1)
            .max(1),
        host,
        port,
        launcher_serves: text("TORCHELASTIC_USE_AGENT_STORE").as_deref() == Some("True"),
        job: format!("mochi/{}", job.join("/")),
        restarts: number("TORCHELASTIC_RESTART_COUNT")?.unwrap_or(0),
        timeout,
    }))
}

/// Slurm's tasks per node, such as `4(x2)`, where all nodes have as many.
fn tasks_here(text: Option<String>) -> Option<usize> {
    let text = text?;
    let (count, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    if rest.contains(',') { None } else { count.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Launched>, LauncherError> {
        read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    const HOST: [(&str, &str); 2] = [("MASTER_ADDR", "node-1"), ("MASTER_PORT", "29500")];

    #[test]
    fn a_process_on_its_own_is_not_launched() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("WORLD_SIZE", "1"), ("RANK", "0")]), Ok(None));
        // sbatch's script, which runs mochi without srun.
        assert_eq!(of(&[("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0"), ("SLURM_JOB_ID", "7")]), Ok(None));
    }

    #[test]
    fn torchruns_variables_are_read() {
        let own = [
            ("WORLD_SIZE", "4"),
            ("RANK", "3"),
            ("LOCAL_RANK", "1"),
            ("LOCAL_WORLD_SIZE", "2"),
            ("TORCHELASTIC_USE_AGENT_STORE", "True"),
            ("TORCHELASTIC_RUN_ID", "abc"),
            ("TORCHELASTIC_RESTART_COUNT", "2"),
            ("MOCHI_RANK_TIMEOUT", "9"),
        ];
        let found = of(&[&own[..], &HOST].concat()).unwrap().unwrap();
        let wanted = Launched {
            rank: 3,
            world_size: 4,
            local_rank: 1,
            local_world_size: 2,
            host: "node-1".into(),
            port: 29_500,
            launcher_serves: true,
            job: "mochi/abc//".into(),
            restarts: 2,
            timeout: Duration::from_secs(9),
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn sruns_variables_are_read() {
        let own = [
            ("SLURM_NTASKS", "8"),
            ("SLURM_STEP_NUM_TASKS", "8"),
            ("SLURM_PROCID", "5"),
            ("SLURM_LOCALID", "1"),
            ("SLURM_STEP_TASKS_PER_NODE", "4(x2)"),
            ("SLURM_JOB_ID", "77"),
            ("SLURM_STEP_ID", "0"),
        ];
        let found = of(&[&own[..], &HOST].concat()).unwrap().unwrap();
        assert_eq!((found.rank, found.world_size, found.local_rank, found.local_world_size), (5, 8, 1, 4));
        assert!(!found.launcher_serves && found.timeout == TIMEOUT && found.job == "mochi//77/0");
        assert_eq!(tasks_here(Some("4,3".into())), None);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let error = |variables: &[(&str, &str)]| of(variables).unwrap_err().to_string();
        assert_eq!(error(&[("WORLD_SIZE", "2")]), "WORLD_SIZE is 2, but RANK is not set");
        assert_eq!(error(&[("WORLD_SIZE", "two")]), "WORLD_SIZE is \"two\", which is not a whole number");
        assert_eq!(error(&[("WORLD_SIZE", "2"), ("RANK", "0")]), "WORLD_SIZE is 2, but MASTER_ADDR is not set");
        let above = [&[("WORLD_SIZE", "2"), ("RANK", "2")][..], &HOST].concat();
        assert_eq!(error(&above), "RANK is 2, which is not below WORLD_SIZE, 2");
        let port = [("WORLD_SIZE", "2"), ("RANK", "0"), ("MASTER_ADDR", "a"), ("MASTER_PORT", "http")];
        assert_eq!(error(&port), "MASTER_PORT is \"http\", which is not a port");
        let zero = [&[("WORLD_SIZE", "2"), ("RANK", "0"), ("MOCHI_RANK_TIMEOUT", "0")][..], &HOST].concat();
        assert_eq!(error(&zero), "MOCHI_RANK_TIMEOUT is 0, which leaves no time to wait");
        assert_eq!(of(&zero).unwrap_err().hint().unwrap(), "set it to a number of seconds, or unset it");
    }
}
