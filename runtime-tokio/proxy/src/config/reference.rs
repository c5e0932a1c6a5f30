//! The reference of fields, written from the tables that the walker checks against.

use std::fmt::Write as _;

use super::schema::{ALL, Message};

/// Every message with its fields, as Markdown. `docs/configuration.md` contains it, and a test holds
/// the two together.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    for message in ALL {
        section(&mut text, message);
    }
    text
}

fn section(text: &mut String, message: &Message) {
    let short = message.name.rsplit('.').next().unwrap_or(message.name);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "### {short}\n\n`{}`\n", message.name);
    if !message.fields.is_empty() {
        text.push_str("| field | value | default | meaning |\n|---|---|---|---|\n");
        for field in message.fields {
            let is_deprecated = message.deprecated.iter().any(|(name, _)| *name == field.name);
            let note = if is_deprecated { " (deprecated in Envoy's API)" } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {}{note} |",
                field.name, field.kind, field.default, field.meaning
            );
        }
        text.push('\n');
    }
    if !message.ignored.is_empty() {
        let names: Vec<_> = message.ignored.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "Ignored with a warning: {}.\n", names.join(", "));
    }
    if !message.refused.is_empty() {
        text.push_str("Rejected:\n\n");
        for (name, why) in message.refused {
            let _ = writeln!(text, "* `{name}`: {why}");
        }
        text.push('\n');
    }
}
