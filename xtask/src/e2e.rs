//! `cargo xtask e2e`: Fairway as its operators run it, on a real node: each scenario by name, with
//! its figures.

mod audit;
mod backend;
mod balancer;
mod classes;
mod definitions;
mod install;
mod leader;
mod load;
mod memory;
mod names;
mod outage;
mod quickstart;
mod rights;
mod routes;
mod team;
mod tools;
mod upgrade;

use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use crate::steps::{say, step};
use crate::{cluster, image, root};

/// What every scenario runs: the image of this checkout.
pub(crate) const IMAGE: &str = "localhost/fairway:e2e";

#[derive(Debug, Args)]
pub(crate) struct E2eArgs {
    /// Which scenarios; all of them when none is named.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name)))]
    names: Vec<String>,
    /// As often and as long as the published figures ask for: about an hour.
    #[arg(long)]
    full: bool,
    /// Leave the node up; the next run uses it as it is.
    #[arg(long)]
    keep: bool,
    /// The build profile of the image.
    #[arg(long, default_value = "dist")]
    profile: String,
}

/// How much a scenario does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Once, as CI runs it.
    Short,
    /// For figures.
    Full,
}

impl Extent {
    /// One of two values.
    pub(crate) fn choose<T>(self, short: T, full: T) -> T {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// What a scenario found out, a line each.
type Figures = Vec<String>;

struct Scenario {
    name: &'static str,
    about: &'static str,
    run: fn(Extent) -> anyhow::Result<Figures>,
}

/// In this order; the last looks back at all that the others asked of the API server.
const SCENARIOS: [Scenario; 12] = [
    Scenario {
        name: "quickstart",
        about: "the README's commands, from a bare cluster to the first answer",
        run: quickstart::run,
    },
    Scenario {
        name: "install",
        about: "install, test, upgrade, roll back and uninstall, in each way",
        run: install::run,
    },
    Scenario { name: "routes", about: "what kubectl shows of routes", run: routes::run },
    Scenario { name: "names", about: "each kind of Service, by DNS", run: names::run },
    Scenario { name: "classes", about: "two installations in one cluster", run: classes::run },
    Scenario {
        name: "upgrade",
        about: "rolling upgrades and rollbacks under load",
        run: upgrade::run,
    },
    Scenario {
        name: "backend",
        about: "rolling updates of a backend under load",
        run: backend::run,
    },
    Scenario {
        name: "leader",
        about: "the leader killed, frozen, and cut off from the API server",
        run: leader::run,
    },
    Scenario {
        name: "outage",
        about: "the API server away under load, and a container restarted meanwhile",
        run: outage::run,
    },
    Scenario {
        name: "definitions",
        about: "an upgrade to definitions that store another version",
        run: definitions::run,
    },
    Scenario { name: "memory", about: "many routes and Services", run: memory::run },
    Scenario {
        name: "rights",
        about: "nothing forbidden was asked, nothing granted is unused",
        run: rights::run,
    },
];

pub(crate) fn run(args: &E2eArgs) -> anyhow::Result<()> {
    cluster::require_root("cargo xtask e2e")?;
    let archive = root().join("target/fairway-e2e.tar");
    image::fairway(IMAGE, &args.profile, &archive)?;
    load::build()?;
    let began = Instant::now();
    if !args.keep || !cluster::is_up() {
        step("node", cluster::up)?;
    }
    let result = cluster::load_image(&archive).and_then(|()| scenarios(args));
    if !args.keep {
        step("end the node", cluster::down)?;
    }
    say(&format!("    {:.0} s since the node was started", began.elapsed().as_secs_f64()));
    result
}

fn scenarios(args: &E2eArgs) -> anyhow::Result<()> {
    let extent = if args.full { Extent::Full } else { Extent::Short };
    let _balancer = balancer::Balancer::start();
    let mut all = Vec::new();
    let mut failed = Vec::new();
    for scenario in &SCENARIOS {
        if !args.names.is_empty() && !args.names.iter().any(|name| name == scenario.name) {
            continue;
        }
        let result =
            step(&format!("{}: {}", scenario.name, scenario.about), || (scenario.run)(extent));
        match result {
            Ok(figures) => {
                figures.iter().for_each(|figure| say(&format!("      {figure}")));
                all.extend(
                    figures.into_iter().map(|figure| format!("{}: {figure}", scenario.name)),
                );
            }
            Err(error) => {
                say(&format!("    {error:#}"));
                keep_evidence(scenario.name).context("cannot keep logs")?;
                failed.push(scenario.name);
            }
        }
        tools::clean_up()?;
    }
    say("");
    all.iter().for_each(|figure| say(figure));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Logs of every pod, the events and the objects, for whoever looks into a failure.
fn keep_evidence(name: &str) -> anyhow::Result<()> {
    let folder = root().join("target/e2e").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let keep = |file: &str, args: &[&str]| {
        let text = cluster::kubectl(args).unwrap_or_else(|error| format!("{error:#}"));
        std::fs::write(folder.join(file), text)
    };
    keep("events.txt", &["get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"])?;
    keep("pods.txt", &["describe", "pods", "--all-namespaces"])?;
    keep("routes.yaml", &["get", "fairway", "--all-namespaces", "--output=yaml"])?;
    for (namespace, pod) in tools::pods()? {
        let log = format!("{namespace}.{pod}.log");
        let all = &["--namespace", &namespace, "logs", &pod, "--all-containers", "--timestamps"];
        keep(&log, all)?;
        keep(&format!("previous.{log}"), &[&all[..], &["--previous"]].concat())?;
    }
    std::fs::copy(cluster::folder().join("logs/audit.log"), folder.join("audit.log"))?;
    say(&format!("    logs and events are in {}", folder.display()));
    Ok(())
}
