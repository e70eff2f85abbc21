//! The cluster of an act as a cluster file of its own: the act may change what the scenario has.

use std::fmt::Write as _;
use toml::de::{DeTable, DeValue};

/// The text of a cluster file that says what a table says.
pub(super) fn of(table: &DeTable<'_>) -> String {
    let (mut text, mut sections) = (String::new(), String::new());
    for (key, value) in table {
        let key = key.get_ref();
        match value.get_ref() {
            DeValue::Table(table) => section(&format!("[{key}]"), table, &mut sections),
            DeValue::Array(list) if !list.is_empty() && list.iter().all(is_table) => {
                let tables = list.iter().filter_map(|item| item.get_ref().as_table());
                tables.for_each(|table| section(&format!("[[{key}]]"), table, &mut sections));
            }
            value => line(key, value, &mut text),
        }
    }
    text + &sections
}

fn is_table(value: &toml::Spanned<DeValue<'_>>) -> bool {
    value.get_ref().is_table()
}

fn section(head: &str, table: &DeTable<'_>, text: &mut String) {
    let _ = writeln!(text, "\n{head}");
    table.iter().for_each(|(key, value)| line(key.get_ref(), value.get_ref(), text));
}

fn line(key: &str, value: &DeValue<'_>, text: &mut String) {
    let _ = writeln!(text, "{key} = {}", inline(value));
}

/// A value in one line. Keys of cluster files need no quotes.
fn inline(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => toml::Value::from(text.as_ref()).to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(is) => is.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(list) => {
            let items = list.iter().map(|item| inline(item.get_ref()));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        DeValue::Table(table) => {
            let pair = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                format!("{key} = {}", inline(value.get_ref()))
            };
            format!("{{ {} }}", table.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}
