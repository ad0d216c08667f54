//! `--set key=value`: changes values of a scenario.

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use super::load_scenario::LoadScenario;

/// Tables that hold no load: a key of theirs is always named in full.
const NO_LOAD: &[&str] = &["thresholds"];

/// Reads `text` with `key=value`s put in.
///
/// A key is one of the top, or `table.key`; without a table it belongs to the only load.
pub(super) fn apply(text: &str, changes: &[String]) -> Result<LoadScenario> {
    let mut table: Table = toml::from_str(text)?;
    for change in changes {
        let (key, value) = change
            .split_once('=')
            .with_context(|| format!("--set {change}: expected key=value"))?;
        put(&mut table, key.trim(), value_of(value.trim()))
            .with_context(|| format!("--set {change}"))?;
    }
    let context = || format!("--set {}", changes.join(" --set "));
    Value::Table(table).try_into().with_context(context)
}

/// A TOML value; what is none is a text, so that `duration=5s` needs no quotes.
fn value_of(text: &str) -> Value {
    let line: Result<Table, _> = toml::from_str(&format!("it = {text}"));
    let value = line.ok().and_then(|mut table| table.remove("it"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn put(table: &mut Table, key: &str, value: Value) -> Result<()> {
    if let Some((name, inner)) = key.split_once('.') {
        let entry = table.entry(name).or_insert_with(|| Table::new().into());
        let Value::Table(inside) = entry else {
            bail!("{name} is no table");
        };
        inside.insert(inner.to_owned(), alike(inside.get(inner), value));
        return Ok(());
    }
    if is_of_the_top(key)? {
        table.insert(key.to_owned(), value);
        return Ok(());
    }
    let loads: Vec<_> = table
        .iter()
        .filter(|(name, value)| value.is_table() && !NO_LOAD.contains(&name.as_str()))
        .map(|(name, _)| name.clone())
        .collect();
    ensure!(
        loads.len() == 1,
        "{key} could belong to {}: write TABLE.{key}",
        loads.join(", ")
    );
    put(table, &format!("{}.{key}", loads[0]), value)
}

/// `rate=500` means 500.0 where the file has a number with a point.
fn alike(before: Option<&Value>, value: Value) -> Value {
    match (before, value) {
        (Some(Value::Float(_)), Value::Integer(whole)) => Value::Float(whole as f64),
        (_, value) => value,
    }
}

fn is_of_the_top(key: &str) -> Result<bool> {
    let top = Table::try_from(LoadScenario::default())?;
    Ok(top.contains_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::text_of;

    fn with(name: &str, changes: &[&str]) -> Result<LoadScenario> {
        let changes: Vec<_> = changes.iter().map(|it| (*it).to_owned()).collect();
        apply(&text_of(name).unwrap(), &changes)
    }

    #[test]
    fn a_key_without_a_table_is_of_the_top_or_of_the_only_load() {
        let scenario = with("open", &["duration=300ms", "pairs=7", "rate=50"]).unwrap();
        assert_eq!(scenario.duration.get().as_millis(), 300);
        let open = scenario.open.unwrap();
        assert_eq!((open.pairs, open.rate), (7, 50.0));
    }

    #[test]
    fn a_key_with_a_table_is_put_there() {
        let scenario = with("mixed", &["idle.sockets=3", "thresholds.p99_ms=7"]).unwrap();
        assert_eq!(scenario.idle.unwrap().sockets, 3);
        assert_eq!(scenario.thresholds.p99_ms, Some(7.0));
    }

    #[test]
    fn what_is_not_clear_or_not_known_is_refused() {
        for change in [
            "pairs=1",
            "idle.socks=1",
            "oops=1",
            "idle.sockets",
            "name.x=1",
        ] {
            let error = format!("{:#}", with("mixed", &[change]).unwrap_err());
            let key = change.split(['=', '.']).next().unwrap();
            assert!(error.contains(key), "{change}: {error}");
        }
        let error = format!("{:#}", with("open", &["pears=1"]).unwrap_err());
        assert!(error.contains("`pears`"), "{error}");
    }
}
