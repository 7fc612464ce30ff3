//! SQL expressions over columns whose names hold dots, such as `negatives.pairs > 0`: names are quoted before SQLite reads them.

use crate::column::columns;
use crate::error::RegistryError;

/// Words of SQL that are no columns.
const SQL: [&str; 16] = [
    "and", "or", "not", "in", "is", "null", "like", "glob", "between", "true", "false", "case", "when", "then", "else",
    "end",
];

/// The expression with every column's name quoted.
pub(crate) fn quoted(expression: &str) -> Result<String, RegistryError> {
    let mut out = String::with_capacity(expression.len() + 16);
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
                let name = &rest[..end];
                let call = rest[end..].trim_start().starts_with('(');
                if call || SQL.contains(&name.to_ascii_lowercase().as_str()) {
                    out.push_str(name);
                } else {
                    out.push_str(&column(name)?);
                }
                rest = &rest[end..];
                continue;
            }
            // A number with its exponent: `1e-4` holds no name.
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    Ok(out)
}

/// Checks that there is a column of this name.
///
/// # Errors
/// [`RegistryError::UnknownColumn`] with the most similar one.
pub fn check_column(name: &str) -> Result<(), RegistryError> {
    column(name).map(drop)
}

/// A column's name, quoted.
pub(crate) fn column(name: &str) -> Result<String, RegistryError> {
    if columns().any(|column| column == name) {
        return Ok(format!("\"{name}\""));
    }
    let nearest = columns().map(|column| (strsim::damerau_levenshtein(&column, name), column)).min();
    // A third of the letters may differ; the name of a key without its section is also meant.
    let near = nearest.filter(|(distance, _)| 3 * *distance <= name.len()).map(|(_, column)| column);
    let nearest =
        near.or_else(|| columns().find(|column| column.rsplit_once('.').is_some_and(|(_, last)| last == name)));
    Err(RegistryError::UnknownColumn { name: name.to_owned(), nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_texts_are_not() {
        let cases = [
            ("negatives.pairs>0", "\"negatives.pairs\">0"),
            ("knn > 40 AND mix.images='i-mix.knn'", "\"knn\" > 40 AND \"mix.images\"='i-mix.knn'"),
            ("optimizer.weight_decay <= 1e-4", "\"optimizer.weight_decay\" <= 1e-4"),
            ("abs(loss - 3.5) < 1", "abs(\"loss\" - 3.5) < 1"),
            ("path like '%é", "\"path\" like '%é"),
            ("linear is not null", "\"linear\" is not null"),
        ];
        for (given, wanted) in cases {
            assert_eq!(quoted(given).unwrap(), wanted);
        }
        let error = quoted("negatives.pair > 0").unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("did you mean `negatives.pairs`?"));
        assert_eq!(quoted("temperature < 1").unwrap_err().hint().as_deref(), Some("did you mean `moco.temperature`?"));
        for name in ["pg_sleep", "foo", "drop", "limit"] {
            assert!(matches!(quoted(name), Err(RegistryError::UnknownColumn { nearest: None, .. })), "{name}");
        }
    }
}
