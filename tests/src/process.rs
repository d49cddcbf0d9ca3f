//! Processes that cannot outlive the test: a shell holds each, and ends it when its standard
//! input closes, which it does however the test ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Starts the program, tells its pid, waits for it, and kills it when nobody holds our end.
const KEEPER: &str = r#"exec 3<&0
log=$1; shift
"$@" </dev/null >"$log.out" 2>"$log.err" &
pid=$!
echo "$pid"
(cat <&3 >/dev/null; kill -9 "$pid") >/dev/null 2>&1 &
wait "$pid"
echo "$?"
"#;

/// A running program.
pub struct Process {
    keeper: Child,
    told: BufReader<ChildStdout>,
    /// Its pid.
    pub pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts a program; its output goes to `log` with the endings `.out` and `.err`.
    pub fn start(program: &Path, args: &[String], log: &Path) -> Self {
        Self::start_with(program, args, log, &[])
    }

    /// The same with environment variables.
    pub fn start_with(program: &Path, args: &[String], log: &Path, env: &[(&str, &str)]) -> Self {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(log)
            .arg(program)
            .args(args)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The shell would tell that it killed.
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let mut told = BufReader::new(keeper.stdout.take().expect("stdout is a pipe"));
        let mut line = String::new();
        told.read_line(&mut line).expect("the keeper tells a pid");
        let pid = line.trim().parse().expect("a pid is a number");
        Self { keeper, told, pid, log: log.to_owned() }
    }

    /// Sends a signal: `TERM`, `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        kill.args([&format!("-{signal}"), &self.pid.to_string()]);
        // One that has ended already is no news.
        let _ = kill.stderr(Stdio::null()).status();
    }

    /// Waits for the end; says the exit code as a shell sees it.
    pub fn wait(&mut self) -> i32 {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("the keeper tells the exit code");
        line.trim().parse().expect("an exit code is a number")
    }

    /// Whether it has ended; one that nobody has waited for counts as ended.
    pub fn ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        stat.map_or(true, |stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
    }

    /// What it wrote to stderr so far.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.log.with_extension("err")).unwrap_or_default()
    }

    /// What it wrote to stdout so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.log.with_extension("out")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("KILL");
        drop(self.keeper.stdin.take());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            if matches!(self.keeper.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Python with the packages that the tests need; `cargo xtask python` makes it.
#[must_use]
pub fn python() -> PathBuf {
    let home = std::env::var_os("HOME").expect("HOME is set");
    let path = PathBuf::from(home).join(".cache/fairway/python/bin/python");
    assert!(path.exists(), "{} is missing: run cargo xtask python", path.display());
    path
}

/// A free port of loopback, which nobody in this process gets a second time. It lies below the
/// range that the kernel takes for outgoing connections, for one of those could take it before the
/// program that it is meant for does, or while that program is restarted.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test binaries may run side by side: each begins elsewhere.
    let begin = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let port = FIRST + begin.wrapping_add(NEXT.fetch_add(1, Relaxed)) % COUNT;
        let port = u16::try_from(port).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of loopback is free");
}
