//! `fairway demo-service`: one sample service of the demo as a server of its own, so that a
//! cluster can run it from the image that it has already.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::control_runtime;
use super::demo::services;
use crate::args::DemoServiceArgs;
use crate::output;

/// How long requests in flight may go on after that.
const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn main(args: &DemoServiceArgs) -> anyhow::Result<u8> {
    let runtime = control_runtime()?;
    let code = runtime.block_on(run(args));
    runtime.shutdown_background();
    code
}

async fn run(args: &DemoServiceArgs) -> anyhow::Result<u8> {
    // Before the port is open, so that no signal is lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    output::line(&format!("{} on http://{}", args.name.as_str(), listener.local_addr()?));
    let delay = args.drain_delay;
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => tokio::time::sleep(delay).await,
            _ = interrupt.recv() => {}
        }
    };
    serve(args, listener, end).await?;
    Ok(0)
}

/// Serves until `end`, and then for as long as requests in flight take, up to the deadline.
async fn serve(
    args: &DemoServiceArgs,
    listener: TcpListener,
    end: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (ending, ended) = tokio::sync::oneshot::channel::<()>();
    let signal = async move {
        end.await;
        // Whoever waits for the deadline may have gone.
        let _ = ending.send(());
    };
    let served = axum::serve(listener, services::router(args.name)).with_graceful_shutdown(signal);
    let deadline = async {
        let _ = ended.await;
        tokio::time::sleep(DEADLINE).await;
    };
    tokio::select! {
        served = served => served.context("cannot serve"),
        () = deadline => Ok(()),
    }
}
