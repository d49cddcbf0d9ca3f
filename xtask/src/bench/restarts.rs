//! Restarts under load, in a network of its own: with connections handed from the queue of the process
//! that ends to the one that stays, and without.

use std::process::Command;

use crate::root;
use crate::steps::{pass, say, step};

/// Runs the measurement.
pub(super) fn run(restarts: usize) -> anyhow::Result<()> {
    super::build("bench-restarts")?;
    measure(1, restarts, 20)?;
    // What it costs where the kernel does not: told, and no failure.
    if let Err(error) = measure(0, restarts.div_ceil(5), 0) {
        say(&format!("    without tcp_migrate_req: {error:#}"));
    }
    Ok(())
}

fn measure(migrate: u8, restarts: usize, certificates: usize) -> anyhow::Result<()> {
    let inside = format!(
        "ip link set lo up && sysctl -qw net.ipv4.tcp_migrate_req={migrate} && exec target/release/bench-restarts"
    );
    step(&format!("{restarts} restarts, tcp_migrate_req={migrate}"), || {
        let mut command = Command::new("unshare");
        command.current_dir(root()).args(["--net", "sh", "-c", &inside]);
        command.env("RESTARTS", restarts.to_string());
        pass(command.env("CERTIFICATES", certificates.to_string()))
    })
}
