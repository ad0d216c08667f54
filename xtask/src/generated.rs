//! Files, and parts of files, that are written from the code: how they are compared and written.
//!
//! Which ones there are is one table, [`files`]. A part of a document stands between
//! `<!-- generated: NAME -->` and `<!-- end -->`; the lines around it belong to people.

use std::path::Path;

use anyhow::{Context, bail};
use protocol::generate;

use crate::tables;

/// One file that code writes, whole or in part.
#[derive(Debug)]
pub(crate) struct Generated {
    /// Relative to the workspace.
    pub path: &'static str,
    /// What has to be in it.
    pub content: Content,
}

/// How much of a file is written by code.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it.
    Whole(String),
    /// The text between the markers of each name; the file has to be there.
    Sections(Vec<(&'static str, String)>),
}

/// Every generated file: **the table to extend** when code writes another one.
pub(crate) fn files() -> Vec<Generated> {
    let tables = generate::markdown_tables();
    let page = vec![
        ("errors", tables.errors),
        ("rules", tables.rules),
        ("closes", tables.closes),
        ("limits", tables.limits),
    ];
    let whole = generate::files().map(|(path, text)| Generated {
        path,
        content: Content::Whole(text),
    });
    let mut files = Vec::from(whole);
    files.push(Generated {
        path: "docs/openapi.json",
        content: Content::Whole(gateway::openapi()),
    });
    files.push(Generated {
        path: "docs/protocol.md",
        content: Content::Sections(page),
    });
    files.push(Generated {
        path: "docs/usage.md",
        content: Content::Sections(vec![
            ("meters", tables.meters),
            ("tenant_metrics", tables::tenant_metrics_markdown()),
        ]),
    });
    files.push(Generated {
        path: "docs/metrics.md",
        content: Content::Sections(vec![("metrics", tables::metrics_markdown())]),
    });
    files.push(Generated {
        path: "docs/configuration.md",
        content: Content::Sections(vec![("config", tables::config_markdown())]),
    });
    files
}

impl Generated {
    /// A sentence if the file is not what the code says; none if it is current.
    pub(crate) fn finding(&self, root: &Path) -> Option<String> {
        match self.pending(root) {
            Ok(None) => None,
            Ok(Some(_)) => Some(format!(
                "{} is not current: run `cargo xtask generate`",
                self.path
            )),
            Err(error) => Some(format!("{}: {error:#}", self.path)),
        }
    }

    /// Brings the file up to date; whether it had to be written.
    ///
    /// Errors: it cannot be read or written, or a marker is missing.
    pub(crate) fn write(&self, root: &Path) -> anyhow::Result<bool> {
        let Some(text) = self.pending(root)? else {
            return Ok(false);
        };
        let path = root.join(self.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
        Ok(true)
    }

    /// The text that should replace the file, if it differs.
    fn pending(&self, root: &Path) -> anyhow::Result<Option<String>> {
        let found = std::fs::read_to_string(root.join(self.path));
        let wanted = match &self.content {
            Content::Whole(text) => text.clone(),
            Content::Sections(sections) => {
                let text = found
                    .as_ref()
                    .map_err(|error| anyhow::anyhow!("{error}"))?
                    .clone();
                sections
                    .iter()
                    .try_fold(text, |text, (name, body)| splice(&text, name, body))?
            }
        };
        Ok((found.ok().as_ref() != Some(&wanted)).then_some(wanted))
    }
}

/// `text` with `body` between the markers of `name`, on lines of its own.
///
/// Errors: a marker is missing, or the opening one stands there twice.
fn splice(text: &str, name: &str, body: &str) -> anyhow::Result<String> {
    let open = format!("<!-- generated: {name} -->");
    let close = "<!-- end -->";
    let (before, rest) = text
        .split_once(&open)
        .with_context(|| format!("no `{open}`"))?;
    if rest.contains(&open) {
        bail!("`{open}` stands there twice");
    }
    let (old, after) = rest
        .split_once(close)
        .with_context(|| format!("no `{close}` after `{open}`"))?;
    if old.contains("<!-- generated:") {
        bail!("no `{close}` before the next section after `{open}`");
    }
    Ok(format!(
        "{before}{open}\n{}\n{close}{after}",
        body.trim_matches('\n')
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n<!-- generated: a -->\nold\n<!-- end -->\ntail\n";

    fn sections(body: &str) -> Generated {
        Generated {
            path: "page.md",
            content: Content::Sections(vec![("a", body.to_owned())]),
        }
    }

    #[test]
    fn a_section_is_replaced_and_the_rest_kept() {
        let wanted = "# Page\n<!-- generated: a -->\nnew\n<!-- end -->\ntail\n";
        assert_eq!(splice(PAGE, "a", "new\n").unwrap(), wanted);
        assert_eq!(
            splice(wanted, "a", "new\n").unwrap(),
            wanted,
            "a second time changes nothing"
        );
    }

    #[test]
    fn missing_and_doubled_markers_are_errors() {
        assert!(splice(PAGE, "b", "new").is_err());
        assert!(splice("<!-- generated: a -->\n", "a", "new").is_err());
        assert!(splice(&PAGE.repeat(2), "a", "new").is_err());
        let unclosed = "<!-- generated: a -->\n<!-- generated: b -->\n<!-- end -->\n";
        assert!(splice(unclosed, "a", "new").is_err());
    }

    #[test]
    fn an_edited_file_is_found_and_mended() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("page.md"), PAGE).unwrap();
        assert_eq!(sections("old").finding(root.path()), None);
        assert!(!sections("old").write(root.path()).unwrap());

        assert!(
            sections("new")
                .finding(root.path())
                .unwrap()
                .contains("cargo xtask generate")
        );
        assert!(sections("new").write(root.path()).unwrap());
        assert_eq!(sections("new").finding(root.path()), None);
    }

    #[test]
    fn a_whole_file_is_made_with_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let file = Generated {
            path: "deep/types.ts",
            content: Content::Whole("type A = 1;\n".to_owned()),
        };
        assert!(file.finding(root.path()).is_some());
        assert!(file.write(root.path()).unwrap());
        assert_eq!(file.finding(root.path()), None);
    }

    #[test]
    fn a_missing_page_is_found() {
        let root = tempfile::tempdir().unwrap();
        assert!(
            sections("new")
                .finding(root.path())
                .unwrap()
                .starts_with("page.md: ")
        );
    }
}
