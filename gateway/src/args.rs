//! The command line as clap reads it. Settings of the gateway come from one table, so that flag,
//! environment and file can never differ.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::settings::{SettingArgs, duration};

const EXAMPLES: &str = "\
Examples:
  fairway demo                              three sample services behind a gateway, in one command
  fairway run --manifests routes/           serve a folder of ServiceRoutes, without a cluster
  fairway run                               serve the cluster of the current kubeconfig
  fairway check routes/                     what is wrong with these manifests?
  fairway diff cluster routes/              what would change if they were applied?
  fairway routes --manifests routes/        which routes are there, and in which order?
  fairway why GET /e/fin/x --manifests routes/   which rule takes this request, and why?
  fairway schema > serviceroute.schema.json      for editors: completion, and mistakes while you write
  fairway crds | kubectl apply -f -         install the custom resource definitions

Exit codes:
  0  everything is well
  1  check found an error; diff found a difference; get was not answered as expected; why: another rule won
  2  could not run: wrong settings, a taken port, nothing to read";

/// An API gateway for Kubernetes: teams apply ServiceRoutes beside their Services, and requests
/// find their way.
#[derive(Debug, Parser)]
#[command(name = "fairway", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve traffic: by the ServiceRoutes of a cluster, or of a folder of manifests.
    Run(RunArgs),
    /// Find what is wrong with manifests, with the compiler that the gateway uses.
    Check(CheckArgs),
    /// Say what differs between two folders of manifests, or between a cluster and a folder.
    Diff(DiffArgs),
    /// Show the routes in the order in which they are tried.
    Routes(RoutesArgs),
    /// Say which rule takes a request, and why no other.
    Why(WhyArgs),
    /// Start three sample services and a gateway before them, to look around.
    Demo(DemoArgs),
    /// Serve one sample service of the demo, until SIGTERM; it accepts for 3 s more after that.
    DemoService(DemoServiceArgs),
    /// Ask one address once, or until it answers as expected: for probes and tests in an image
    /// without a shell.
    Get(GetArgs),
    /// Print the JSON Schema of ServiceRoutes, for editors.
    #[command(after_help = "Example:\n  fairway schema > serviceroute.schema.json")]
    Schema,
    /// Print the custom resource definitions, for kubectl apply -f -.
    Crds,
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  source <(fairway completions bash)")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// How a command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Table,
    /// For people with a wide terminal.
    Wide,
    /// For machines.
    Json,
}

const RUN_EXAMPLES: &str = "\
Every setting can be given as a flag, as an environment variable, or in the YAML file that --config
names, in this order of precedence. --print-config shows each value and where it came from.

Examples:
  fairway run --manifests routes/ --listen http=127.0.0.1:8080
  fairway run --manifests routes/ --backend market/finance=127.0.0.1:9001
  FAIRWAY_CLASS=internal fairway run --print-config";

#[derive(Debug, clap::Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// Show every setting with its value and where it came from, and end.
    #[arg(long)]
    pub(crate) print_config: bool,
    /// How --print-config prints.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  fairway check routes/
  fairway check routes/finance.yaml -o json
  fairway check routes/ --deny warnings --ignore CouldBePath

Each finding has an id in brackets: InvalidRule, Unreachable, CouldBePath, ... A note never fails.

Exit codes: 0 no errors, 1 an error was found, or a warning that is denied, 2 could not run, or nothing to read.";

#[derive(Debug, clap::Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Folders or files with manifests.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// End with 1 when there are warnings too.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) deny: Option<Denied>,
    /// Leave findings with this id out; may be given several times.
    #[arg(long, value_name = "ID")]
    pub(crate) ignore: Vec<String>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// How findings are printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: CheckOutput,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckOutput {
    /// For people.
    #[default]
    Table,
    /// For machines.
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
}

/// What check does not let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Denied {
    /// Warnings as well as errors.
    Warnings,
}

const DIFF_EXAMPLES: &str = "\
OLD and NEW are each a folder or file with manifests, the word cluster for the cluster of the current
kubeconfig, or cluster:NAME for the one of that context; a folder of that name is ./cluster.

Beside a cluster, manifests are what it would hold once they are applied: what they do not name stays,
unless --prune is given. Two folders, or two clusters, are compared as they are.

Examples:
  fairway diff cluster routes/                  what would kubectl apply -f routes/ change?
  fairway diff main/routes/ routes/             what does this branch change?
  kustomize build . | fairway diff cluster /dev/stdin
  fairway diff cluster:staging cluster:production -o json

Exit codes: 0 the same, 1 something differs, 2 could not run.";

#[derive(Debug, clap::Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(crate) struct DiffArgs {
    /// What there is: a folder or file, or cluster.
    pub(crate) old: PathBuf,
    /// What there would be: a folder or file, or cluster.
    pub(crate) new: PathBuf,
    /// ServiceRoutes of the cluster that the manifests do not name would be deleted.
    #[arg(long)]
    pub(crate) prune: bool,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

const ROUTES_EXAMPLES: &str = "\
Examples:
  fairway routes --manifests routes/                    from files
  fairway routes                                        from the cluster of the current kubeconfig
  fairway routes --from http://127.0.0.1:9902 -o wide   of a running gateway, by its admin port";

#[derive(Debug, clap::Args)]
#[command(after_help = ROUTES_EXAMPLES)]
pub(crate) struct RoutesArgs {
    /// Address of the admin port of a running gateway.
    #[arg(long, value_name = "URL", conflicts_with = "manifests")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// How the routes are printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

const WHY_EXAMPLES: &str = "\
Examples:
  fairway why GET http://api.example.com/e/fin/quotes --manifests routes/
  fairway why POST /e/fin/orders -H 'x-api-version: v2'       of the cluster of the current kubeconfig
  fairway why GET /e/fin/x --from http://127.0.0.1:9902       of a running gateway, by its admin port
  fairway why GET /e/fin/x --expect market/finance/quotes     why is it not this one?

Exit codes: 0 explained, or the expected rule wins; 1 another rule wins, or none; 2 could not run.";

#[derive(Debug, clap::Args)]
#[command(after_help = WHY_EXAMPLES)]
pub(crate) struct WhyArgs {
    /// The method, in capital letters.
    pub(crate) method: String,
    /// The URL, or the path alone for a request without a host of its own.
    pub(crate) url: String,
    /// A header of the request; may be given several times.
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The rule that should win, as namespace/name or namespace/name/rule.
    #[arg(long, value_name = "RULE")]
    pub(crate) expect: Option<String>,
    /// The listener that the request comes to. Default: the one with the port of the URL, or the
    /// first.
    #[arg(long, value_name = "NAME")]
    pub(crate) on: Option<String>,
    /// Address of the admin port of a running gateway.
    #[arg(long, value_name = "URL", conflicts_with = "manifests")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// The port to serve on.
    #[arg(short, long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Where to write the manifests. Default: a new folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoServiceArgs {
    /// Which service.
    #[arg(long, value_enum)]
    pub(crate) name: SampleService,
    /// Where to listen; `/healthz` answers there too.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8000")]
    pub(crate) listen: SocketAddr,
    /// How long it still accepts after the signal to end: until everybody has heard that it goes.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    pub(crate) drain_delay: Duration,
}

/// A sample service of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SampleService {
    Finance,
    Stock,
    Esg,
}

impl SampleService {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Finance => "finance",
            Self::Stock => "stock",
            Self::Esg => "esg",
        }
    }
}

const GET_EXAMPLES: &str = "\
Examples:
  fairway get http://127.0.0.1:9901/readyz
  fairway get http://gateway/e/fin/hello --header 'host: api.example.com' --retry-for 30s
  fairway get http://gateway/nothing --expect 404 --contains route_not_found

Redirects are not followed. The body goes to stdout, at most 64 KiB of it; a try takes at most 5 s.

Exit codes: 0 answered as expected, 1 answered otherwise or not at all, 2 the arguments are wrong.";

#[derive(Debug, clap::Args)]
#[command(after_help = GET_EXAMPLES)]
pub(crate) struct GetArgs {
    /// The address, by http.
    pub(crate) url: String,
    /// A header of the request; may be given several times.
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The status that is expected. Default: any of 200 to 299.
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=599))]
    pub(crate) expect: Option<u16>,
    /// Text that the body must hold.
    #[arg(long, value_name = "TEXT")]
    pub(crate) contains: Option<String>,
    /// For how long to ask again when the answer is another or none comes.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(crate) retry_for: Duration,
}
