//! The index file and its queries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use crate::column::{Value, columns};
use crate::error::RegistryError;
use crate::expression::{column, quoted};
use crate::scan;

const FILE: &str = "runs.sqlite";

/// An index that is up to date.
#[derive(Debug)]
pub struct Registry {
    path: PathBuf,
    connection: Connection,
    unread: Vec<Unread>,
}

/// A run that the index leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its folder.
    pub path: PathBuf,
    /// Why its settings cannot be read.
    pub reason: String,
}

/// Which runs, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Condition in SQL over the columns.
    pub condition: Option<String>,
    /// Column to sort by; by path without one.
    pub order: Option<(String, Order)>,
}

/// Order of a column; runs without a value come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The smallest first.
    Rising,
    /// The largest first.
    Falling,
}

/// A run with the values of its columns, those without a value left out.
pub type Listed = BTreeMap<String, Value>;

/// The columns of a single run, without an index.
///
/// # Errors
/// [`RegistryError::NotARun`].
pub fn read(run: &Path) -> Result<Listed, RegistryError> {
    let values = scan::read(run, Path::new("."));
    let values = values.map_err(|reason| RegistryError::NotARun { path: run.to_owned(), reason })?;
    Ok(values.into_iter().collect())
}

impl Registry {
    /// Opens the index of the runs below a folder and brings it up to date. Where the folder cannot be written, the index is made in memory.
    ///
    /// # Errors
    /// [`RegistryError::Folder`], [`RegistryError::Index`].
    pub fn open(folder: &Path) -> Result<Registry, RegistryError> {
        let found = scan::runs(folder)?;
        let path = folder.join(FILE);
        let connection = Connection::open(&path).or_else(|_| Connection::open_in_memory());
        let failed = |source| RegistryError::Index { path: path.clone(), source };
        let mut registry = Registry { connection: connection.map_err(failed)?, path, unread: Vec::new() };
        registry
            .update(folder, &found)
            .map_err(|source| RegistryError::Index { path: registry.path.clone(), source })?;
        Ok(registry)
    }

    fn update(&mut self, folder: &Path, found: &[scan::Found]) -> rusqlite::Result<()> {
        self.connection.busy_timeout(std::time::Duration::from_secs(30))?;
        let names: Vec<String> = columns().collect();
        let defined = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let transaction = self.connection.transaction()?;
        // Another version of the program has other columns.
        let known: Vec<String> = {
            let mut statement = transaction.prepare("select name from pragma_table_info('runs')")?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        if known.len() != names.len() + 1 || known[1..] != names {
            transaction.execute_batch(&format!(
                "drop table if exists runs; create table runs (signature text, {defined}, primary key (path))"
            ))?;
        }
        let mut indexed: BTreeMap<String, String> = {
            let mut statement = transaction.prepare("select path, signature from runs")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?
        };
        for run in found {
            let path = run.path.display().to_string();
            if indexed.remove(&path).as_ref() == Some(&run.signature) {
                continue;
            }
            transaction.execute("delete from runs where path = ?1", [&path])?;
            let values = match scan::read(folder, &run.path) {
                Ok(values) => values,
                Err(reason) => {
                    if run.is_run {
                        self.unread.push(Unread { path: folder.join(&run.path), reason });
                    }
                    continue;
                }
            };
            let names: Vec<String> = values.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            let places = vec!["?"; values.len() + 1].join(", ");
            let values = values.into_iter().map(|(_, value)| match value {
                Value::Integer(number) => rusqlite::types::Value::Integer(number),
                Value::Number(number) => rusqlite::types::Value::Real(number),
                Value::Text(text) => rusqlite::types::Value::Text(text),
            });
            let all = std::iter::once(rusqlite::types::Value::Text(run.signature.clone())).chain(values);
            let sql = format!("insert into runs (signature, {}) values ({places})", names.join(", "));
            transaction.execute(&sql, params_from_iter(all))?;
        }
        for gone in indexed.keys() {
            transaction.execute("delete from runs where path = ?1", [gone])?;
        }
        transaction.commit()
    }

    /// The runs that are left out, because their settings cannot be read.
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }

    /// The runs of a query.
    ///
    /// # Errors
    /// [`RegistryError::UnknownColumn`], [`RegistryError::Expression`], [`RegistryError::Index`].
    pub fn query(&self, query: &Query) -> Result<Vec<Listed>, RegistryError> {
        let names: Vec<String> = columns().collect();
        let selected = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let mut sql = format!("select {selected} from runs");
        if let Some(condition) = &query.condition {
            sql += &format!(" where ({})", quoted(condition)?);
        }
        sql += &match &query.order {
            Some((name, Order::Rising)) => format!(" order by {0} is null, {0}, path", column(name)?),
            Some((name, Order::Falling)) => format!(" order by {0} is null, {0} desc, path", column(name)?),
            None => " order by path".to_owned(),
        };
        let read = |row: &rusqlite::Row| -> rusqlite::Result<Listed> {
            let mut listed = Listed::new();
            for (index, name) in names.iter().enumerate() {
                let value = match row.get_ref(index)? {
                    ValueRef::Null | ValueRef::Blob(_) => continue,
                    ValueRef::Integer(number) => Value::Integer(number),
                    ValueRef::Real(number) => Value::Number(number),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                };
                listed.insert(name.clone(), value);
            }
            Ok(listed)
        };
        // A condition reads; whatever else it might say is refused.
        let rows = self
            .connection
            .pragma_update(None, "query_only", true)
            .and_then(|()| self.connection.prepare(&sql)?.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>());
        rows.map_err(|source| match &query.condition {
            Some(expression) => {
                let message = source.to_string();
                // SQLite's message goes on with the whole statement.
                let reason = message.split(" in select ").next().unwrap_or_default().to_owned();
                RegistryError::Expression { expression: expression.clone(), reason }
            }
            None => RegistryError::Index { path: self.path.clone(), source },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mochi_config::{Facts, Settings};

    fn run(folder: &Path, name: &str, arguments: &[&str], knn: Option<f64>) {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let facts = Facts { images: 5000, cores: 2, ..Facts::default() };
        let (settings, _) = Settings::load(Some("moco-v2"), None, &arguments).unwrap().resolve(&facts).unwrap();
        let path = folder.join(name);
        std::fs::create_dir_all(path.join("eval")).unwrap();
        std::fs::write(path.join("config.toml"), settings.to_toml()).unwrap();
        if let Some(knn) = knn {
            std::fs::write(path.join("eval/knn.json"), format!("{{\"top1\": {knn}}}")).unwrap();
        }
    }

    fn paths(folder: &Path, condition: Option<&str>, order: Option<(&str, Order)>) -> Vec<String> {
        let query = Query {
            condition: condition.map(str::to_owned),
            order: order.map(|(name, order)| (name.to_owned(), order)),
        };
        let listed = Registry::open(folder).unwrap().query(&query).unwrap();
        listed
            .iter()
            .map(|run| match &run["path"] {
                Value::Text(path) => path.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn runs_are_found_by_settings_and_results_and_follow_their_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let common = ["moco.queue=1024", "negatives.hardest=64", "seed=3"];
        run(root, "a", &common, Some(40.0));
        run(root, "deep/er/b", &[&common[..], &["negatives.pairs=32"]].concat(), Some(42.5));
        run(root, "c", &[&common[..], &["negatives.pairs=16"]].concat(), None);
        for name in ["not-a-run", "broken"] {
            std::fs::create_dir(root.join(name)).unwrap();
            std::fs::write(root.join(name).join("config.toml"), "x = 1").unwrap();
        }
        std::fs::write(root.join("broken/metrics.jsonl"), "").unwrap();

        assert_eq!(paths(root, None, None), ["a", "c", "deep/er/b"]);
        assert_eq!(paths(root, Some("negatives.pairs > 0"), None), ["c", "deep/er/b"]);
        assert_eq!(paths(root, Some("negatives.pairs>0 and knn>40"), None), ["deep/er/b"]);
        assert_eq!(paths(root, None, Some(("knn", Order::Falling))), ["deep/er/b", "a", "c"], "without a value last");
        assert_eq!(paths(root, Some("seed = 3 and moco.symmetric = false"), None).len(), 3);

        // A run that cannot be read is named at every call.
        for _ in 0..2 {
            let registry = Registry::open(root).unwrap();
            let [Unread { path, reason }] = registry.unread() else { panic!("{:?}", registry.unread()) };
            assert!(*path == root.join("broken") && reason.contains("config.toml"), "{reason}");
        }

        // Changed, moved and removed runs.
        std::fs::write(root.join("c/eval/knn.json"), "{\"top1\": 50}").unwrap();
        std::fs::rename(root.join("a"), root.join("z")).unwrap();
        assert_eq!(paths(root, None, Some(("knn", Order::Falling))), ["c", "deep/er/b", "z"]);
        std::fs::remove_dir_all(root.join("c")).unwrap();
        assert_eq!(paths(root, None, None), ["deep/er/b", "z"]);

        // Report: a run that was trained further had the result of its earlier step. A new checkpoint changes no other file.
        let newest = |step: u64| std::fs::create_dir_all(root.join(format!("z/checkpoints/step-{step}"))).unwrap();
        std::fs::write(root.join("z/eval/knn.json"), "{\"top1\": 45, \"step\": 8}").unwrap();
        newest(8);
        assert_eq!(paths(root, Some("knn = 45"), None), ["z"]);
        newest(9);
        assert_eq!(paths(root, Some("knn = 45"), None), [""; 0]);
        assert_eq!(paths(root, Some("outdated_results = 'knn of step 8'"), None), ["z"]);
        std::fs::remove_dir_all(root.join("z")).unwrap();

        // What another version of the program kept of a run is read again.
        let query = || Registry::open(root).unwrap().query(&Query::default()).unwrap();
        let whole = query();
        let connection = Connection::open(root.join(FILE)).unwrap();
        let of_before = "update runs set signature = substr(signature, 3), seed = 3.0";
        connection.execute(of_before, []).unwrap();
        drop(connection);
        assert_eq!((query(), &whole[0]["seed"]), (whole.clone(), &Value::Integer(3)));

        // The index can be deleted, and an index of other columns is made again.
        std::fs::remove_file(root.join(FILE)).unwrap();
        Connection::open(root.join(FILE))
            .unwrap()
            .execute_batch("create table runs (signature text, path text)")
            .unwrap();
        assert_eq!(paths(root, None, None), ["deep/er/b"]);
    }

    #[test]
    fn conditions_that_do_not_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), "a", &["moco.queue=1024"], None);
        let registry = Registry::open(folder.path()).unwrap();
        let ask = |condition: &str| {
            registry.query(&Query { condition: Some(condition.to_owned()), ..Query::default() }).unwrap_err()
        };
        assert!(matches!(ask("seed >"), RegistryError::Expression { .. }));
        assert!(ask("seed); drop table runs; --").to_string().contains("unknown column"));
        assert!(matches!(ask("1); vacuum into 'x'"), RegistryError::UnknownColumn { .. }));
        assert_eq!(registry.query(&Query::default()).unwrap().len(), 1);
        assert!(Registry::open(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn an_index_that_is_no_database_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "not a database, but long enough to be taken for one".repeat(50))
            .unwrap();
        let error = Registry::open(folder.path()).unwrap_err();
        assert!(error.hint().unwrap().starts_with("delete "), "{error}");
    }
}
