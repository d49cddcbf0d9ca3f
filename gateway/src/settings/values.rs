//! One value as text: each function gives the value or says what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use fairway_snapshot::redaction::MAX_NAME;
use fairway_snapshot::{HostPattern, ListenerName, Network, ObjectId, Target, Upstream};

use super::hint::nearest;

pub(super) fn listener(text: &str) -> Result<(ListenerName, SocketAddr), String> {
    let (label, bind) =
        text.split_once('=').ok_or_else(|| format!("{text:?}: write http=0.0.0.0:8080"))?;
    Ok((ListenerName::from(name(label)?), address(bind)?))
}

pub(super) fn backend(text: &str) -> Result<(ObjectId, Upstream), String> {
    let wrong = || format!("{text:?}: write market/finance=127.0.0.1:9001");
    let (id, target) = text.split_once('=').ok_or_else(wrong)?;
    let (namespace, service) = id.split_once('/').ok_or_else(wrong)?;
    let (host, port) = target.rsplit_once(':').ok_or_else(wrong)?;
    let port: NonZeroU16 = port.parse().map_err(|_| wrong())?;
    let (namespace, service) = (name(namespace)?, name(service)?);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let target = match bare.parse::<IpAddr>() {
        Ok(address) => Target::Address(address),
        Err(_) => match host.parse::<HostPattern>().map_err(|error| error.to_string())? {
            HostPattern::Exact(host) => Target::Name(host),
            HostPattern::Wildcard(_) | HostPattern::Any => return Err(wrong()),
        },
    };
    Ok((ObjectId::new(namespace, service), Upstream::new(target, port)))
}

/// A name as Kubernetes has them.
pub(super) fn name(text: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a name: write lower case letters, digits and -"))
    }
}

/// The name of an object.
pub(super) fn object(text: &str) -> Result<String, String> {
    let good = fairway_crds::names::is_object(text);
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?}: {}", fairway_crds::names::OBJECT))
    }
}

/// What Kubernetes tells objects of one name apart by.
pub(super) fn uid(text: &str) -> Result<String, String> {
    let good = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not the uid of a pod: write its metadata.uid, letters, digits and - only"
        ))
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address with a port: write 0.0.0.0:8080 or [::]:8080")
    })
}

pub(super) fn host_pattern(text: &str) -> Result<HostPattern, String> {
    text.parse::<HostPattern>().map_err(|error| error.to_string())
}

/// A protocol that a request may switch to. HTTP/2 is not one: requests inside of it would be seen by
/// nobody.
pub(super) fn upgrade(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let token = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte));
    let http =
        ["h2", "h2c", "http", "tls"].iter().any(|known| name.split('/').next() == Some(known));
    if token && !http {
        Ok(name)
    } else {
        Err(format!(
            "{text:?} is no protocol to switch to: write websocket, another such name, or none"
        ))
    }
}

/// The name of a query parameter or of a header field, decoded; one with a dot or a bracket in it is
/// compared part by part.
pub(super) fn secret(text: &str) -> Result<String, String> {
    let letter = |byte: u8| byte.is_ascii_graphic() && !b"%&=;?#/[].".contains(&byte);
    if (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(letter) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not the name of a parameter or a header field: write api_key, one part of user[password], or none"
        ))
    }
}

/// A folder that is there.
pub(super) fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let advice = "make it first, or name another one";
    if path.is_dir() { Ok(path) } else { Err(format!("{text:?} is no folder: {advice}")) }
}

pub(super) fn network(text: &str) -> Result<Network, String> {
    text.parse::<Network>().map_err(|error| error.to_string())
}

pub(super) fn service_dns(text: &str) -> Result<String, String> {
    if text.contains("{service}") {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} lacks {{service}}: write {{service}}.{{namespace}}.svc.cluster.local."
        ))
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{text:?}: write true or false")),
    }
}

/// A duration that may be nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let read = fairway_controller::compile::duration(text).map_err(|_| {
        format!("{text:?} is not a duration: write a number and a unit of h, m, s or ms, for example 15s or 1m30s")
    });
    read.map(Option::unwrap_or_default)
}

/// How long a client may take: with no time at all every client would be refused.
pub(super) fn client_limit(text: &str) -> Result<Duration, String> {
    let limit = duration(text)?;
    if limit.is_zero() {
        return Err(format!("{text:?} would refuse every client: write a time, for example 15s"));
    }
    Ok(limit)
}

pub(super) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    let workers: Option<NonZeroUsize> = text.parse().ok();
    workers
        .filter(|workers| workers.get() <= 256)
        .ok_or_else(|| format!("{text:?}: write a number from 1 to 256"))
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text:?}: write a whole number"))
}

pub(super) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?}: write a whole number"))
}

pub(super) fn head_fields(text: &str) -> Result<usize, String> {
    let fields = count(text)?;
    let advice = || format!("{text}: write a number from 1 to 256");
    Some(fields).filter(|fields| (1..=256).contains(fields)).ok_or_else(advice)
}

pub(super) fn target_bytes(text: &str) -> Result<usize, String> {
    let bytes = count(text)?;
    let advice = || format!("{text}: write a number from 1024 to 65534");
    Some(bytes).filter(|bytes| (1024..=65_534).contains(bytes)).ok_or_else(advice)
}

/// Bytes a second. What nobody's line carries would refuse everybody.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let rate: Option<u64> = text.parse().ok();
    let advice = || format!("{text:?}: write a number from 0 to 1000000");
    rate.filter(|rate| *rate <= 1_000_000).ok_or_else(advice)
}

pub(super) fn hops(text: &str) -> Result<u8, String> {
    let hops: Option<u8> = text.parse().ok();
    hops.filter(|hops| *hops <= 32).ok_or_else(|| format!("{text:?}: write a number from 0 to 32"))
}

/// A number of things without which nothing would be served.
pub(super) fn some(text: &str) -> Result<usize, String> {
    let some: Option<usize> = text.parse().ok();
    some.filter(|some| *some > 0).ok_or_else(|| format!("{text:?}: write a number from 1"))
}

pub(super) fn percent(text: &str) -> Result<u8, String> {
    let percent: Option<u8> = text.parse().ok();
    let advice = || format!("{text:?}: write a number from 0 to 100");
    percent.filter(|percent| *percent <= 100).ok_or_else(advice)
}

pub(super) fn streams(text: &str) -> Result<u32, String> {
    let streams: Option<u32> = text.parse().ok();
    let advice = || format!("{text:?}: write a number from 1 to 10000");
    streams.filter(|streams| (1..=10_000).contains(streams)).ok_or_else(advice)
}

pub(super) fn head_bytes(text: &str) -> Result<usize, String> {
    let bytes = count(text)?;
    if (8192..=1024 * 1024).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("{text}: write a number from 8192 to 1048576"))
    }
}

/// Levels of the log, as one, or as one for each target: the filter itself takes any word for a
/// target, so that a level with a slip in it would mean all of a target that does not exist.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let target = |target: &str| {
        !target.is_empty()
            && target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte))
    };
    for part in text.split(',').map(str::trim) {
        let level = match part.split_once('=') {
            Some((name, level)) if target(name) => level,
            Some((name, _)) => {
                return Err(format!(
                    "{text:?}: {name:?} is not a target: write info,fairway_controller=debug"
                ));
            }
            None => part,
        };
        if !LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known)) {
            let advice = match nearest(&level.to_ascii_lowercase(), &LEVELS) {
                Some(near) => format!("did you mean {near}?"),
                None => {
                    "write off, error, warn, info, debug or trace, or info,fairway_controller=debug"
                        .to_owned()
                }
            };
            return Err(format!("{level:?} is not a level: {advice}"));
        }
    }
    Ok(text.split(',').map(str::trim).collect::<Vec<_>>().join(","))
}

pub(super) fn log_format(text: &str) -> Result<bool, String> {
    match text {
        "json" => Ok(true),
        "text" => Ok(false),
        _ => Err(format!("{text:?}: write text or json")),
    }
}
