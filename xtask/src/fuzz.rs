//! `cargo xtask fuzz`: libFuzzer looks for what breaks an invariant, on the stable toolchain.

mod log;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::image::host;
use crate::root;
use crate::steps::{pass, say, step};

/// What makes coverage visible to libFuzzer, by flags of the stable compiler: counters in place,
/// the table of their code, and the values that are compared.
const FLAGS: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// An input that takes longer hangs, in seconds: the slowest good ones take hundredths.
const SLOWEST: u64 = 10;
/// The longest input, in bytes: several objects, each with long values.
const LONGEST: usize = 8192;
/// More memory is a finding too, in MiB.
const MOST_MEMORY: u64 = 2048;

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// What to fuzz; all in turn when it is left out.
    #[arg(value_enum)]
    target: Option<Target>,
    /// How long, each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Only try this input, for example a finding; it can be given several times.
    #[arg(long, requires = "target", value_name = "FILE")]
    input: Vec<PathBuf>,
}

/// A target: a binary of the crate in `fuzz/`.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Target {
    /// Manifests are read and compiled.
    CompileYaml,
    /// Requests are found in a table of routes, and by a scan.
    FindRoute,
    /// Bodies in chunks are read and written.
    Http1Chunked,
    /// Requests are read, by us and by hyper.
    Http1Request,
    /// Responses are read, by us and by hyper.
    Http1Response,
    /// Paths are normalised; patterns and templates are parsed.
    Normalize,
}

pub(crate) fn run(args: &FuzzArgs) -> anyhow::Result<()> {
    let targets = args.target.map_or_else(|| Target::value_variants().to_vec(), |one| vec![one]);
    let binaries = step("build with coverage (minutes, the first time)", || build(&targets))?;
    if let [target] = &*targets
        && !args.input.is_empty()
    {
        // Where the caller stands: the files are named from there.
        return pass(Command::new(binaries.join(target.name())).args(&args.input));
    }
    let mut found = Vec::new();
    for target in targets {
        let name = format!("fuzz {} for {} min", target.name(), args.minutes);
        if let Err(error) = step(&name, || target.fuzz(&binaries, args.minutes)) {
            say(&format!("{error:#}"));
            found.push(target.name());
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!("findings of {}: first a failing test, then the fix", found.join(", "))
}

/// Builds targets; gives the folder of their binaries.
fn build(targets: &[Target]) -> anyhow::Result<PathBuf> {
    let host = host()?;
    let folder = root().join("fuzz/target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--manifest-path", "fuzz/Cargo.toml"]);
    // Named, the platform is not that of build scripts and macros: they are built without the flags.
    cargo.args(["--profile", "fuzz", "--target", &host, "--target-dir"]).arg(&folder);
    cargo.args(targets.iter().flat_map(|target| ["--bin", target.name()]));
    let mut features = vec!["libfuzzer"];
    features.extend(targets.iter().filter_map(|target| target.feature()));
    cargo.args(["--no-default-features", "--features", &features.join(",")]);
    pass(cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", FLAGS.join(" ")))?;
    Ok(folder.join(host).join("fuzz"))
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::CompileYaml => "compile_yaml",
            Self::FindRoute => "find_route",
            Self::Http1Chunked => "http1_chunked",
            Self::Http1Request => "http1_request",
            Self::Http1Response => "http1_response",
            Self::Normalize => "normalize",
        }
    }

    /// What of the crate it needs, which takes long to build.
    const fn feature(self) -> Option<&'static str> {
        match self {
            Self::CompileYaml => Some("manifests"),
            Self::Http1Chunked | Self::Http1Request | Self::Http1Response => Some("http1"),
            Self::FindRoute | Self::Normalize => None,
        }
    }

    /// Inputs to begin with, beside what was learnt before.
    fn seeds(self) -> anyhow::Result<Vec<PathBuf>> {
        match self {
            Self::CompileYaml => manifests(Path::new("tests/testdata/compile")),
            Self::Http1Chunked | Self::Http1Response => {
                messages(self.name(), &[&format!("fuzz/seeds/{}.json", self.name())])
            }
            Self::Http1Request => {
                let known = ["passed", "refused"];
                let known = known.map(|name| format!("tests/testdata/http1/{name}.json"));
                messages(self.name(), &[&known[0], &known[1]])
            }
            Self::FindRoute | Self::Normalize => Ok(Vec::new()),
        }
    }

    fn fuzz(self, binaries: &Path, minutes: u64) -> anyhow::Result<()> {
        let name = self.name();
        let folder = root().join("fuzz/target");
        let [corpus, findings] = ["corpus", "findings"].map(|kind| folder.join(kind).join(name));
        for folder in [&corpus, &findings] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut fuzzer = Command::new(binaries.join(name));
        fuzzer.current_dir(root()).args([
            format!("-max_total_time={}", minutes * 60),
            format!("-max_len={LONGEST}"),
            format!("-timeout={SLOWEST}"),
            format!("-rss_limit_mb={MOST_MEMORY}"),
            format!("-dict=fuzz/dictionaries/{name}.dict"),
            format!("-artifact_prefix={}/", findings.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        let seeds = self.seeds()?;
        if !seeds.is_empty() {
            // Read where they are: libFuzzer writes to the corpus alone.
            let list = folder.join(format!("{name}.seeds"));
            let seeds: Vec<_> = seeds.iter().map(|seed| seed.display().to_string()).collect();
            std::fs::write(&list, seeds.join(","))
                .with_context(|| format!("cannot write {}", list.display()))?;
            fuzzer.arg(format!("-seed_inputs=@{}", list.display()));
        }
        let output = folder.join(format!("{name}.log"));
        let file =
            File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
        say(&format!("    it tells what it does in {}", output.display()));
        let status = fuzzer.arg(&corpus).stderr(file).status().context("cannot start it")?;
        let text = std::fs::read(&output).context("cannot read what it told")?;
        let text = String::from_utf8_lossy(&text);
        say(&format!("    {}", log::summary(&text)));
        if status.success() {
            return Ok(());
        }
        let again = log::finding(&text)
            .map(|file| format!("\nagain: cargo xtask fuzz {name} --input {file}"));
        bail!("{}{}", log::told(&text), again.unwrap_or_default())
    }
}

/// Writes what these lists send into files, each message into one; gives their names.
fn messages(name: &str, lists: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let folder = root().join("fuzz/target/seeds").join(name);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let mut files = Vec::new();
    for list in lists {
        let text = std::fs::read_to_string(root().join(list))
            .with_context(|| format!("cannot read {list}"))?;
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(&text).with_context(|| format!("{list} is no list"))?;
        for case in cases {
            let sent = case["send"].as_str().with_context(|| format!("{list}: no text to send"))?;
            let file = folder.join(files.len().to_string());
            std::fs::write(&file, sent)
                .with_context(|| format!("cannot write {}", file.display()))?;
            files.push(file);
        }
    }
    Ok(files)
}

/// The manifests of a folder of golden pairs, from the top of the project, sorted.
fn manifests(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root().join(folder))
        .with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with(".in.yaml") {
            names.push(folder.join(name));
        }
    }
    names.sort();
    Ok(names)
}
