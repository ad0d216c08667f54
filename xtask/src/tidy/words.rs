//! Words that belong in no tracked file, and sleeps in tests.
//!
//! | word | why not |
//! | --- | --- |
//! | the host of a package registry | which registry serves a build is the builder's to configure |
//! | a home or work folder of one machine | it is there for nobody else |
//! | an unfinished-code macro | the branch builds and works at every commit |
//! | a sleep in test code | it is too short on a slow machine and too long on a fast one |
//!
//! The words are written in pieces here, so that this file does not hold what it looks for.

use crate::code::Files;

/// Hosts of package registries.
const HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("yarnpkg", ".com"),
    concat!("deb.debian", ".org"),
];

/// First parts of absolute paths that name a place on one machine.
const PLACES: &[&str] = &["home", "root", "Users", "work"];

/// Macros that stand for code to come.
const UNFINISHED: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
];

const SLEEPS: &[&str] = &[concat!("sleep", "("), concat!("sleep_until", "(")];

/// Test files that may sleep, each with its reason. A row whose file does not sleep is an error.
const SLEEPERS: &[(&str, &str)] = &[];

/// One sentence for each word found.
pub(crate) fn findings(files: &Files) -> Vec<String> {
    findings_with(files, SLEEPERS)
}

fn findings_with(files: &Files, sleepers: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut slept = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !is_lock(path)) {
        let source = path.ends_with(".rs");
        let tests_from = if source {
            tests_begin(path, text)
        } else {
            usize::MAX
        };
        for (index, line) in text.lines().enumerate() {
            let at = format!("{path}:{}", index + 1);
            if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
                findings.push(format!("{at}: names the registry host {host}"));
            }
            if let Some(place) = machine_path(line) {
                findings.push(format!("{at}: names the path /{place}/ of one machine"));
            }
            if let Some(word) = UNFINISHED
                .iter()
                .find(|word| source && line.contains(**word))
            {
                findings.push(format!("{at}: {word}…) is unfinished code"));
            }
            if index >= tests_from && sleeps(line) {
                if sleepers.iter().any(|(file, _)| file == path) {
                    slept.push(path.as_str());
                } else {
                    findings.push(format!(
                        "{at}: a test sleeps; pause time, or wait for the event"
                    ));
                }
            }
        }
    }
    let idle = sleepers.iter().filter(|(file, _)| !slept.contains(file));
    findings.extend(idle.map(|(file, _)| format!("{file}: does not sleep; take it off SLEEPERS")));
    findings
}

/// Lock files name the registry by design and are written by tools.
fn is_lock(path: &str) -> bool {
    path.ends_with(".lock") || path.ends_with("package-lock.json")
}

/// The index of the first line of test code.
fn tests_begin(path: &str, text: &str) -> usize {
    let in_test_folder = path.split('/').any(|part| part == "tests") || path.ends_with("/tests.rs");
    if in_test_folder {
        return 0;
    }
    let lines: Vec<&str> = text.lines().collect();
    let begins = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{');
    lines.windows(2).position(begins).unwrap_or(usize::MAX)
}

fn sleeps(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    SLEEPS.iter().any(|word| {
        code.match_indices(word).any(|(at, _)| {
            !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                && !code[..at].ends_with("fn ")
        })
    })
}

/// The first part of an absolute path of one machine, if `line` has one.
fn machine_path(line: &str) -> Option<&'static str> {
    PLACES.iter().copied().find(|place| {
        let path = format!("/{place}/");
        line.match_indices(&path).any(|(at, _)| {
            !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}~*/)".contains(c))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        findings_with(&Files::from([(path.to_owned(), text.to_owned())]), &[])
    }

    #[test]
    fn each_registry_host_is_found() {
        for host in HOSTS {
            assert_eq!(
                check("a.toml", &format!("x = \"https://{host}/y\"")).len(),
                1,
                "{host}"
            );
            assert_eq!(check("Cargo.lock", host), Vec::<String>::new());
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for place in PLACES {
            assert_eq!(
                check("a.md", &format!("see /{place}/x")).len(),
                1,
                "{place}"
            );
        }
        assert_eq!(check("a.md", "docs/work/x"), Vec::<String>::new());
    }

    #[test]
    fn unfinished_code_is_found_in_sources() {
        for word in UNFINISHED {
            assert_eq!(check("src/a.rs", &format!("{word})")).len(), 1, "{word}");
            assert_eq!(
                check("STYLE.md", &format!("no {word})")),
                Vec::<String>::new()
            );
        }
    }

    #[test]
    fn a_sleep_is_found_only_in_tests() {
        let line = format!("tokio::time::{}d).await;", SLEEPS[0]);
        assert_eq!(check("gateway/src/a.rs", &line), Vec::<String>::new());
        assert_eq!(check("gateway/tests/it/a.rs", &line).len(), 1);
        assert_eq!(
            check(
                "gateway/src/a.rs",
                &format!("#[cfg(test)]\nmod tests {{\n{line}\n}}")
            )
            .len(),
            1
        );
        assert_eq!(
            check("gateway/tests/it/a.rs", "// no sleep(d) here"),
            Vec::<String>::new()
        );
        assert_eq!(
            check("gateway/tests/it/a.rs", "never_sleep(d)"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_sleeper_with_a_reason_may_and_must_sleep() {
        let files = |text: &str| Files::from([("a/tests/it/b.rs".to_owned(), text.to_owned())]);
        let sleepers = [("a/tests/it/b.rs", "it measures wall time")];
        assert_eq!(
            findings_with(&files(SLEEPS[0]), &sleepers),
            Vec::<String>::new()
        );
        assert_eq!(findings_with(&files("quick()"), &sleepers).len(), 1);
    }
}
