//! Rules of the workspace that no lint knows: how long a file may be, that libraries forbid unsafe
//! code, and that what the README says about versions is what Cargo reads.

mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::{package, rust_files};

/// Longest `.rs` file, in lines. A file of 500 deserves a second look.
const MAX_LINES: usize = 800;

fn workspace() -> PathBuf {
    package().parent().expect("pool-core lies in the workspace").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_too_long(source: &str) -> bool {
    source.lines().count() > MAX_LINES
}

/// The value of `key = "value"` in a manifest.
fn manifest_value<'a>(manifest: &'a str, key: &str) -> Option<&'a str> {
    manifest.lines().find_map(|line| {
        let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim();
        value.strip_prefix('"')?.strip_suffix('"')
    })
}

/// The members of the workspace.
fn members(manifest: &str) -> Vec<String> {
    let list = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next());
    list.unwrap_or("").split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The version in the README's line about the minimum supported Rust.
fn readme_rust_version(readme: &str) -> Option<&str> {
    let line = readme.lines().find(|line| line.contains("MSRV"))?;
    let version = line.split("Rust ").nth(1)?;
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    Some(version[..end].trim_end_matches('.'))
}

#[test]
fn no_file_is_too_long() {
    let root = workspace();
    let files = rust_files(&root);
    assert!(files.len() > 10, "read only {} files", files.len());
    let long: Vec<_> = files.iter().filter(|file| is_too_long(&read(&root.join(file)))).collect();
    assert!(long.is_empty(), "above {MAX_LINES} lines: {long:?}");
}

#[test]
fn readme_tells_the_rust_version_that_cargo_reads() {
    let root = workspace();
    let manifest = read(&root.join("Cargo.toml"));
    let expected = manifest_value(&manifest, "rust-version");
    assert!(expected.is_some());
    assert_eq!(readme_rust_version(&read(&root.join("README.md"))), expected);
    let clippy = read(&root.join("clippy.toml"));
    assert_eq!(manifest_value(&clippy, "msrv"), None, "clippy reads rust-version; a second copy would drift");
}

#[test]
fn libraries_forbid_unsafe_code() {
    for library in ["pool-core", "runtime-tokio", "runtime-tokio/proxy", "runtime-async-std"] {
        let source = read(&workspace().join(library).join("src/lib.rs"));
        assert!(source.contains("#![forbid(unsafe_code)]"), "{library}");
    }
}

#[test]
fn every_member_takes_the_workspace_lints() {
    let root = workspace();
    let members = members(&read(&root.join("Cargo.toml")));
    assert!(members.iter().any(|member| member == "runtime-tokio/proxy"), "{members:?}");
    for member in members {
        let manifest = read(&root.join(&member).join("Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member}");
        assert!(manifest.contains("\nlicense.workspace = true\n"), "{member}");
        let description = manifest_value(&manifest, "description");
        assert!(description.is_some_and(|description| description != "placeholder"), "{member}");
    }
}

#[test]
fn the_checks_themselves_find_a_breach() {
    assert!(is_too_long(&"x\n".repeat(MAX_LINES + 1)));
    assert!(!is_too_long(&"x\n".repeat(MAX_LINES)));
    assert_eq!(readme_rust_version("a\nMSRV: Rust 1.85.\n"), Some("1.85"));
    assert_eq!(readme_rust_version("**MSRV** Rust 1.90, checked"), Some("1.90"));
    assert_eq!(readme_rust_version("nothing here"), None);
    assert_eq!(members("members = [\n  \"a\",\n  \"b/c\",\n]\nexclude = [\"d\"]"), ["a", "b/c"]);
    assert_eq!(manifest_value("rust-version = \"1.85\"\n", "rust-version"), Some("1.85"));
    assert_eq!(manifest_value("rust-versions = \"1.85\"\n", "rust-version"), None);
}
