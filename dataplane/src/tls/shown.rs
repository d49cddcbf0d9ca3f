//! Which certificate a connection showed, and whether a request over it is for that one (RFC 9110
//! section 15.5.20).

use std::cell::RefCell;

use super::resolver::{Choice, Now};

/// What a client asked for when its connection began.
#[derive(Debug)]
pub(crate) struct Shown {
    /// In lower case; a client that named none gets what there is, whatever it asks for.
    name: Option<Box<str>>,
    choice: Choice,
    /// The host of the last request that had another name, and for what that was judged.
    last: RefCell<Option<Judged>>,
}

#[derive(Debug)]
struct Judged {
    host: Box<str>,
    now: Now,
    is_one: bool,
}

impl Shown {
    pub(crate) fn new(name: Option<&str>, choice: Choice) -> Self {
        let name = name.map(|name| name.to_ascii_lowercase().into());
        Self { name, choice, last: RefCell::default() }
    }

    /// Whether a connection for this host, in lower case, would show another certificate. A
    /// certificate that was renewed since is no other.
    pub(crate) fn is_other(&self, host: &str) -> bool {
        let Some(name) = self.name.as_deref() else { return false };
        if name == host || host.is_empty() {
            return false;
        }
        let mut last = self.last.borrow_mut();
        if let Some(judged) = &*last
            && *judged.host == *host
            && self.choice.is(&judged.now)
        {
            return !judged.is_one;
        }
        let now = self.choice.now();
        let is_one = now.is_one(name, host);
        *last = Some(Judged { host: host.into(), now, is_one });
        !is_one
    }
}
