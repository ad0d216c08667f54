//! Text and tables in HTML.

use std::fmt::Write;

/// Text as it may stand in a page.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A table. Its cells are escaped already.
pub(super) fn table(out: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    out.push_str("<div class=\"box\"><table>");
    if heads.iter().any(|it| !it.is_empty()) {
        let heads: String = heads.iter().map(|it| format!("<th>{it}</th>")).collect();
        let _ = write!(out, "<tr>{heads}</tr>");
    }
    for row in rows {
        let cells: String = row.iter().map(|it| format!("<td>{it}</td>")).collect();
        let _ = write!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</table></div>\n");
}
