//! Versions of an API: merged from the layers, and read once.

use std::sync::Arc;

use fairway_crds::names;
use fairway_crds::policy::{Version, Versions};
use fairway_snapshot::{ApiVersion, ApiVersions, Mode, Source};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::headers::refused_name;
use super::policies::{Layer, mode};

/// Where the version stands when nobody says it.
const HEADER: HeaderName = HeaderName::from_static("x-api-version");

/// A field of the strongest layer that has it, and where it stands.
struct Given<'l, T> {
    value: &'l T,
    field: String,
    source: Source,
}

fn strongest<'l, T>(
    layers: &'l [Layer<'_>],
    name: &str,
    field: impl Fn(&'l Versions) -> Option<&'l T>,
) -> Option<Given<'l, T>> {
    layers.iter().rev().find_map(|layer| {
        let value = field(layer.policy?.versions.as_ref()?)?;
        let field = format!("{}.versions.{name}", layer.field);
        Some(Given { value, field, source: layer.source })
    })
}

/// The versions that the layers know; `None` where none knows any. What is wrong is told to
/// `problem` with its field.
pub(super) fn merged(
    layers: &[Layer<'_>],
    problem: &mut dyn FnMut(String, String),
) -> Option<Arc<ApiVersions>> {
    let known = strongest(layers, "known", |versions| versions.known.as_ref());
    let header = strongest(layers, "header", |versions| versions.header.as_ref());
    let media_type = strongest(layers, "mediaType", |versions| versions.media_type.as_ref());
    let default = strongest(layers, "default", |versions| versions.default.as_ref());
    let written_mode = strongest(layers, "mode", |versions| versions.mode.as_ref());
    let fields = [&header, &media_type, &default, &written_mode];
    let sources = fields.into_iter().flatten().map(|given| given.source);
    let source = sources.chain(known.as_ref().map(|given| given.source)).max()?;

    let header_name = header.as_ref().and_then(|given| match header_name(given.value) {
        Ok(name) => Some(name),
        Err(message) => {
            problem(given.field.clone(), message);
            None
        }
    });
    let header_name =
        if header.is_none() && media_type.is_none() { Some(HEADER) } else { header_name };
    if let Some(given) = media_type.as_ref().filter(|given| !names::is_word(given.value)) {
        problem(given.field.clone(), format!("{:?}: {}", given.value, names::WORD));
    }
    let all = known.as_ref().map(|given| read(given, problem)).unwrap_or_default();
    let default = default.and_then(|given| {
        let index = all.iter().position(|version| *version.name == **given.value);
        if index.is_none() && known.is_some() {
            problem(given.field, format!("{:?} is not known: {}", given.value, one_of(&all)));
        }
        index
    });
    let mode = written_mode.map_or(Mode::Enforce, |given| match mode(given.value) {
        Ok(mode) => mode,
        Err(message) => {
            problem(given.field, message);
            Mode::Enforce
        }
    });
    known?;
    let media_type = media_type.map(|given| given.value.to_ascii_lowercase().into());
    Some(Arc::new(ApiVersions {
        header: header_name,
        media_type,
        default,
        known: all.into(),
        mode,
        source,
    }))
}

/// What may be written.
pub(super) fn one_of(versions: &[ApiVersion]) -> String {
    let names: Vec<&str> = versions.iter().map(|version| &*version.name).collect();
    format!("write one of {}", names.join(", "))
}

fn header_name(text: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("{text:?}: {}", names::HEADER_NAME))?;
    match refused_name(&name, "request") {
        Some(message) => Err(message),
        None => Ok(name),
    }
}

fn read(
    given: &Given<'_, Vec<Version>>,
    problem: &mut dyn FnMut(String, String),
) -> Vec<ApiVersion> {
    let mut all: Vec<ApiVersion> = Vec::with_capacity(given.value.len());
    if given.value.is_empty() {
        problem(given.field.clone(), names::KNOWN_VERSIONS.to_owned());
    }
    for (index, written) in given.value.iter().enumerate() {
        let field = format!("{}[{index}]", given.field);
        if !names::is_word(&written.name) {
            problem(format!("{field}.name"), format!("{:?}: {}", written.name, names::WORD));
        }
        if all.iter().any(|version| *version.name == *written.name) {
            let message = format!("two versions are named {:?}: remove one", written.name);
            problem(format!("{field}.name"), message);
        }
        let mut date = |name: &str, text: &Option<String>| {
            let text = text.as_ref()?;
            let read = date(text);
            if read.is_none() {
                problem(format!("{field}.{name}"), format!("{text:?}: {}", names::DATE));
            }
            read
        };
        let deprecated = date("deprecated", &written.deprecated);
        let sunset = date("sunset", &written.sunset);
        if let (Some(deprecated), Some(sunset)) = (deprecated, sunset)
            && sunset < deprecated
        {
            problem(format!("{field}.sunset"), names::SUNSET_AFTER.to_owned());
        }
        let link = written.link.as_ref().and_then(|text| {
            let read = link(text, written.deprecated.is_some());
            if read.is_none() {
                problem(format!("{field}.link"), format!("{text:?}: {}", names::LINK));
            }
            read
        });
        all.push(ApiVersion {
            name: written.name.as_str().into(),
            deprecation: deprecated.and_then(|at| value(&format!("@{}", at.as_second()))),
            sunset: sunset.and_then(|at| value(&http_date(at))),
            link,
        });
    }
    all
}

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

/// A day, of which the first moment in UTC counts, or a moment.
fn date(text: &str) -> Option<Timestamp> {
    let moment = text.parse::<Timestamp>().ok();
    moment.or_else(|| {
        let day: Date = text.parse().ok().filter(|_| text.len() == "2026-06-01".len())?;
        Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

/// A moment as HTTP writes it (RFC 9110 section 5.6.7).
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A link of the kind that says what it leads to (RFC 8288; RFC 9745 section 3, RFC 8594 section 6).
fn link(url: &str, deprecated: bool) -> Option<HeaderValue> {
    let absolute = ["https://", "http://", "/"].iter().any(|begin| url.starts_with(begin));
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte));
    let relation = if deprecated { "deprecation" } else { "sunset" };
    let text = format!("<{url}>; rel=\"{relation}\"; type=\"text/html\"");
    value(&text).filter(|_| absolute && plain)
}
