//! Bodies of any size that nobody holds: made part by part, and compared by their hashes.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::wire::{Broken, Part, Reader, Writer};

/// The bytes of a part.
const PART: usize = 64 * 1024;

/// A body as it was seen.
#[derive(Default)]
pub struct Digest {
    hash: Sha256,
    length: u64,
}

/// A body of a known size, in which every part is another one.
pub struct Parts {
    noise: Vec<u8>,
    number: u64,
    left: u64,
}

// === impl Digest ===

impl Digest {
    /// Sees more of it.
    pub fn add(&mut self, data: &[u8]) {
        self.hash.update(data);
        self.length += u64::try_from(data.len()).unwrap();
    }

    /// Length and hash, as text.
    pub fn told(self) -> String {
        let hash = self.hash.finalize();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} bytes {hash}", self.length)
    }

    /// Reads a body to its end.
    pub async fn read(reader: &mut Reader) -> Result<String, Broken> {
        let mut digest = Self::default();
        loop {
            match reader.next().await? {
                Part::Data(data) => digest.add(&data),
                Part::Trailers(_) | Part::End => return Ok(digest.told()),
            }
        }
    }

    /// What a body of this size is told as.
    pub fn of(size: u64) -> String {
        let mut digest = Self::default();
        for part in Parts::new(size) {
            digest.add(&part);
        }
        digest.told()
    }
}

// === impl Parts ===

impl Parts {
    pub fn new(size: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(20_261_127);
        let mut noise = vec![0; PART];
        random.fill(&mut noise);
        Self { noise, number: 0, left: size }
    }

    /// Sends all of them; says whether they were taken.
    pub async fn send(self, writer: &mut Writer) -> bool {
        for part in self {
            if !writer.send(part).await {
                return false;
            }
        }
        true
    }
}

impl Iterator for Parts {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.left).map_or(PART, |left| left.min(PART));
        if length == 0 {
            return None;
        }
        // One that is lost, or comes twice or elsewhere, changes the hash.
        self.noise[..8].copy_from_slice(&self.number.to_be_bytes());
        self.number += 1;
        self.left -= u64::try_from(length).unwrap();
        Some(Bytes::copy_from_slice(&self.noise[..length]))
    }
}
