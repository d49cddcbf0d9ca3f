//! The memory of another process, as Linux tells it.

/// A process.
pub(crate) struct Memory {
    folder: String,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Self {
        Self { folder: format!("/proc/{pid}") }
    }

    /// What is resident, in bytes.
    pub(crate) fn now(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that was resident since [`Self::forget_peak`], in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// From here on the peak is that of what follows (proc(5), `clear_refs`).
    pub(crate) fn forget_peak(&self) {
        std::fs::write(format!("{}/clear_refs", self.folder), "5").expect("the peak is reset");
    }

    fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("{}/status", self.folder)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let words = line.expect("Linux tells it").trim().trim_end_matches(" kB");
        words.parse::<u64>().unwrap() * 1024
    }
}
