//! Requests as they are written, and as the table is asked.

use arbitrary::Arbitrary;
use fairway_snapshot::normalize::{Normalization, normalize_path};
use fairway_snapshot::table::preflight;
use fairway_snapshot::{HostPattern, Route, RouteRequest};
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::words::{End, OneMethod, Word, WrittenHost};

/// The names of query parameters.
pub(crate) const NAMES: [&str; 2] = ["a", "b c"];
/// The names of header fields.
pub(crate) const FIELDS: [HeaderName; 2] =
    [HeaderName::from_static("x-a"), HeaderName::from_static("x-b")];

/// A request as it is written.
#[derive(Arbitrary, Clone, Debug)]
pub(super) struct WrittenRequest<'a> {
    host: AskedHost<'a>,
    path: AskedPath<'a>,
    method: OneMethod,
    preflight: Option<OneMethod>,
    /// Which of the two names, and which value.
    headers: Vec<(bool, Value)>,
    query: Option<Vec<(bool, Value)>>,
    expected: u8,
}

#[derive(Arbitrary, Clone, Debug)]
enum AskedHost<'a> {
    /// That of a route; a label more where it is a wildcard.
    Of(u8),
    Written(WrittenHost<'a>),
}

#[derive(Arbitrary, Clone, Debug)]
enum AskedPath<'a> {
    /// That of a route, with a word for each capture and for the rest.
    Of(u8, Word),
    Words(Vec<Word>, End),
    Text(&'a str),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Value {
    Empty,
    One,
    Two,
    Blank,
    Word,
}

/// A request, as the table is asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    host: String,
    path: String,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) preflight: Option<Method>,
    /// A route that is asked about.
    pub(crate) expected: usize,
}

impl Asked {
    pub(crate) fn request(&self) -> RouteRequest<'_> {
        RouteRequest {
            host: &self.host,
            path: &self.path,
            method: &self.method,
            headers: &self.headers,
            query: self.query.as_deref(),
            preflight: self.preflight.as_ref(),
        }
    }
}

impl WrittenRequest<'_> {
    /// As the table is asked; none when its path is refused.
    pub(super) fn asked(
        &self,
        routes: &[(HostPattern, Route)],
        normalization: &Normalization,
    ) -> Option<Asked> {
        let path = self.path.text(routes);
        let path = normalize_path(&path, normalization).ok()?.into_owned();
        let mut headers = HeaderMap::new();
        for (second, value) in self.headers.iter().take(4) {
            let value = HeaderValue::from_static(value.of_header());
            headers.append(FIELDS[usize::from(*second)].clone(), value);
        }
        let mut method = self.method.method();
        if let Some(asked) = self.preflight {
            method = Method::OPTIONS;
            headers.insert(ORIGIN, HeaderValue::from_static("https://a.example"));
            let asked = HeaderValue::from_str(asked.method().as_str()).ok()?;
            headers.insert(ACCESS_CONTROL_REQUEST_METHOD, asked);
        }
        let query = self.query.as_ref().map(|pairs| {
            let written = |(second, value): &(bool, Value)| {
                format!("{}{}", ["a", "b+%63"][usize::from(*second)], value.of_query())
            };
            pairs.iter().take(4).map(written).collect::<Vec<_>>().join("&")
        });
        let preflight = preflight(&method, &headers);
        let expected = usize::from(self.expected);
        let host = self.host.text(routes);
        Some(Asked { host, path, method, headers, query, preflight, expected })
    }
}

impl AskedHost<'_> {
    /// In lower case, without port and final dot, as the table compares it.
    fn text(&self, routes: &[(HostPattern, Route)]) -> String {
        let written = match self {
            Self::Of(number) => nth(routes, *number).map(|(host, _)| host.to_string()),
            Self::Written(host) => Some(host.text()),
        };
        let host = written.unwrap_or_default().to_ascii_lowercase().replace([':', '['], "");
        match host.strip_prefix("*") {
            Some("") => String::new(),
            Some(suffix) => format!("b{suffix}"),
            None => host,
        }
        .trim_end_matches('.')
        .to_owned()
    }
}

impl AskedPath<'_> {
    fn text(&self, routes: &[(HostPattern, Route)]) -> String {
        match self {
            Self::Of(number, word) => {
                let path = nth(routes, *number).map(|(_, route)| route.path.as_str());
                let path = path.unwrap_or("/").replace("{longer}", "{x}");
                path.replace("{x}", word.text()).replace('*', word.text())
            }
            Self::Words(words, end) => {
                let words: Vec<&str> = words.iter().take(6).map(|word| word.text()).collect();
                format!("/{}{}", words.join("/"), end.text())
            }
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

fn nth(routes: &[(HostPattern, Route)], number: u8) -> Option<&(HostPattern, Route)> {
    routes.get(usize::from(number).checked_rem(routes.len())?)
}

impl Value {
    fn of_header(self) -> &'static str {
        match self {
            Self::Empty => "",
            Self::One => "1",
            Self::Two => "2",
            Self::Blank => "a b",
            Self::Word => "a",
        }
    }

    /// With its sign, and encoded.
    fn of_query(self) -> &'static str {
        match self {
            Self::Empty => "",
            Self::One => "=%31",
            Self::Two => "=2",
            Self::Blank => "=a+b",
            Self::Word => "=%6",
        }
    }
}
