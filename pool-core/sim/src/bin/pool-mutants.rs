//! Puts every bug of the table into a scratch copy of the sources, one at a time, and expects its engine
//! to find it: `pool-mutants [NAME]...`. Asked for a single one, it also prints what the engine tells.
//!
//! The copy lies in the target folder and is built in debug with little optimization. Nothing outside it
//! is changed.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use pool_sim::engines::Engine;
use pool_sim::mutants::Mutant;
use pool_sim::mutants::table::MUTANTS;

fn main() -> ExitCode {
    let names: Vec<String> = env::args().skip(1).collect();
    let chosen: Vec<&Mutant> =
        MUTANTS.iter().filter(|m| names.is_empty() || names.iter().any(|name| name == m.name)).collect();
    if chosen.is_empty() {
        eprintln!("there is no bug of that name");
        return ExitCode::from(2);
    }
    match all_found(&chosen) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn all_found(chosen: &[&Mutant]) -> io::Result<bool> {
    let scratch = Scratch::new()?;
    let mut engines: Vec<Engine> = Vec::new();
    for mutant in chosen {
        if !engines.contains(&mutant.engine) {
            engines.push(mutant.engine);
        }
    }
    for engine in engines {
        // An engine that fails without a bug would find them all.
        if let Some(said) = scratch.run(engine)? {
            println!("{engine} finds something without any bug:\n{said}");
            return Ok(false);
        }
    }
    let mut survivors = 0;
    for mutant in chosen {
        let said = scratch.with(mutant)?;
        let first =
            said.as_deref().and_then(|said| said.lines().find_map(|line| line.strip_prefix("broken: ")));
        let found = first.is_some_and(|law| law.starts_with(mutant.law));
        let verdict = if found { "found" } else { "NOT FOUND" };
        println!("{verdict:9} {:30} by {}: {}", mutant.name, mutant.engine, first.unwrap_or("nothing"));
        if !found {
            survivors += 1;
            println!("          expected: {}", mutant.law);
        }
        if !found || chosen.len() == 1 {
            println!("{}", said.unwrap_or_default());
        }
    }
    println!("{} of {} found", chosen.len() - survivors, chosen.len());
    Ok(survivors == 0)
}

/// A copy of the two crates, with a workspace of its own.
struct Scratch {
    root: PathBuf,
}

impl Scratch {
    fn new() -> io::Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
        let root = target.join("mutants");
        let _ = fs::remove_dir_all(root.join("pool-core"));
        fs::create_dir_all(&root)?;
        for part in ["pool-core/src", "pool-core/examples", "pool-core/sim/src"] {
            copy(&workspace.join(part), &root.join(part))?;
        }
        for file in ["Cargo.lock", "pool-core/Cargo.toml", "pool-core/sim/Cargo.toml"] {
            fs::copy(workspace.join(file), root.join(file))?;
        }
        let manifest = fs::read_to_string(workspace.join("Cargo.toml"))?;
        fs::write(root.join("Cargo.toml"), with_two_members(&manifest))?;
        Ok(Self { root })
    }

    /// What the engine says about a bug, if it finds one.
    fn with(&self, mutant: &Mutant) -> io::Result<Option<String>> {
        let path = self.root.join("pool-core/src").join(mutant.file);
        let sound = fs::read_to_string(&path)?;
        fs::write(&path, sound.replacen(mutant.find, mutant.replace, 1))?;
        let said = self.run(mutant.engine);
        fs::write(&path, sound)?;
        said
    }

    /// What an engine finds, if anything.
    fn run(&self, engine: Engine) -> io::Result<Option<String>> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["run", "--quiet", "--offline", "-p", "pool-sim", "--bin", "pool-engine", "--"]);
        cargo.args(engine.to_string().split(' '));
        cargo.current_dir(&self.root);
        cargo.env("CARGO_TARGET_DIR", self.root.join("target"));
        cargo.env("CARGO_INCREMENTAL", "1").env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        cargo.env("RUST_BACKTRACE", "0");
        let output = cargo.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.code() {
            Some(0) => Ok(None),
            Some(1) if said.starts_with("broken: ") => Ok(Some(said)),
            _ => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The workspace's manifest with no members but the two.
fn with_two_members(manifest: &str) -> String {
    let Some((before, rest)) = manifest.split_once("members = [") else { return manifest.to_owned() };
    let Some((_, after)) = rest.split_once(']') else { return manifest.to_owned() };
    format!("{before}members = [\"pool-core\", \"pool-core/sim\"]{after}")
}
