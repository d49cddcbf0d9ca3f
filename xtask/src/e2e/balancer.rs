//! A load balancer in the least sense: it gives Services of that type an address, for which
//! `helm --wait` waits and which no controller of this node gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use super::tools::{get, kubectl, text};
use crate::cluster::ADDRESS;

/// Gives addresses until it is dropped.
pub(super) struct Balancer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Balancer {
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !seen.load(Relaxed) {
                // The API server may be away, as some scenarios want it.
                let _ = give();
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn give() -> anyhow::Result<()> {
    let services = get(&["services", "--all-namespaces", "--request-timeout=5s"])?;
    for service in services["items"].as_array().into_iter().flatten() {
        let wants = service["spec"]["type"] == "LoadBalancer"
            && service.pointer("/status/loadBalancer/ingress").is_none();
        if wants {
            let namespace = text(service, "/metadata/namespace");
            let status =
                format!(r#"{{"status":{{"loadBalancer":{{"ingress":[{{"ip":"{ADDRESS}"}}]}}}}}}"#);
            let name = text(service, "/metadata/name");
            kubectl(&[
                "patch",
                "service",
                &name,
                "--namespace",
                &namespace,
                "--subresource=status",
                "--type=merge",
                "--patch",
                &status,
            ])?;
        }
    }
    Ok(())
}
