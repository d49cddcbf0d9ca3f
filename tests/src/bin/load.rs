//! Load for tests on a node: so many requests a second until standard input closes, then one line
//! of JSON that tells what became of them.

use std::io::{Read, Write};
use std::net::SocketAddr;

use clap::Parser;
use fairway_tests::load::{Load, Reuse};

/// Send requests until standard input closes.
#[derive(Debug, Parser)]
struct Args {
    /// Where to.
    address: SocketAddr,
    /// The path of each request.
    path: String,
    /// Requests a second.
    #[arg(long, default_value_t = 500)]
    rate: u64,
    /// Connections at most.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// A connection for each request.
    #[arg(long)]
    fresh: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let args = Args::parse();
    // Failures are told in the outcome.
    std::panic::set_hook(Box::new(|_| {}));
    let reuse = if args.fresh { Reuse::Fresh } else { Reuse::Keep };
    let path = args.path;
    let load =
        Load::start_with(args.address, args.rate, args.connections, reuse, move |_| path.clone());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .map_err(std::io::Error::other)??;
    let outcome = load.stop().await;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&outcome)?)
}
