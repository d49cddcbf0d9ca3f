//! Names as Kubernetes has them, and the sentences that refuse others: the schema and the compiler
//! refuse the same names in the same words, for an object may be older than the schema.

/// What a rule's name must be.
pub const RULE_NAME: &str = "a rule is named with lower case letters, digits and -, beginning and ending with a letter or digit: write quotes or get-quotes";
/// What the name of a class must be.
pub const CLASS: &str = "a class is named with lower case letters, digits and -: write fairway";
/// What the name of a Service must be.
pub const SERVICE: &str = "the name of a Service has lower case letters, digits and -, and begins with a letter: write finance-v1";
/// What the name of a Secret must be.
pub const SECRET: &str = "a Secret is named with lower case letters, digits, - and ., beginning and ending with a letter or digit: write api-example-com";
/// What a namespace must be.
pub const NAMESPACE: &str = "a namespace has lower case letters, digits and -: write market";
/// What the name of a ServiceRoute must be.
pub const OBJECT: &str = "a name has lower case letters, digits, - and ., beginning and ending with a letter or digit: write finance";

/// What the discovery of a backend must be.
pub const DISCOVERY: &str =
    "the addresses of a Service are learnt from dns or from endpoints: write dns or endpoints";
/// What a backend is said to speak.
pub const PROTOCOL: &str = "a backend is spoken to in http, https, h2c or grpc: write one of them";
/// What is said of TLS beside a protocol that has none.
pub const PROTOCOL_OF_TLS: &str =
    "h2c is HTTP/2 without TLS: write protocol: https beside tls, or grpc for HTTP/2 alone";
/// What is said of two sources of authorities.
pub const ONE_CA: &str =
    "the certificates of authorities come from one place: write caConfigMap or caSecret, not both";
/// What the name that a backend's certificate must be for looks like.
pub const SERVER_NAME: &str =
    "serverName is one DNS name or address, without scheme, port or *: write api.example.com";
/// What the name of a ConfigMap must be.
pub const CONFIG_MAP: &str = "a ConfigMap is named with lower case letters, digits, - and ., beginning and ending with a letter or digit: write finance-ca";
/// What a header field is named with (RFC 9110 section 5.1).
pub const HEADER_NAME: &str =
    "a header is named with one word of letters, digits and -: write x-api-version";
/// What is said of a condition that asks nothing, or several things.
pub const ONE_CONDITION: &str =
    "a condition has one of value, pattern and present: write value: v2";
/// What is said of a match with two paths.
pub const ONE_PATH: &str =
    "a match has path or pathRegex, not both: write path: /e/fin/*, or pathRegex: /v[0-9]+/.*";
/// What is said of a field that policies do not change.
pub const HEADER_OF_OURS: &str =
    "belongs to the connection or to the framing of messages, which are the gateway's: remove it";
/// What is said of `Host` among the fields that a policy changes.
pub const HOST_IS_REWRITTEN: &str =
    "Host is changed by rewrite: write rewrite: {host: api.example.com}";
/// What is said of a time in seconds that is too long.
pub const SECONDS: &str =
    "a time in seconds is at most 3153600000, a hundred years: write 31536000 for a year";
/// What is said of a mode.
pub const MODE: &str = "a mode is Enforce or Observe: write Observe to count without refusing";
/// What one host, without pattern and port, looks like.
pub const ONE_HOST: &str =
    "a host is one name without scheme, port, path, blanks or *: write api.example.com";
/// What is said of a rule that does nothing, or several things.
pub const ONE_ACTION: &str = "a rule has one of backends, redirect and respond: write backends: [{service: finance, port: 8000}]";
/// What is said of a rewrite where nothing is forwarded.
pub const REWRITE_OF_BACKENDS: &str =
    "rewrite goes with backends: write redirect: {path: /fin/*} to send the client there";
/// What is said of a redirect to the same place.
pub const REDIRECT_CHANGES: &str =
    "a redirect changes something: write path: /fin/*, or scheme: https";
/// What is said of discovery beside a host.
pub const DISCOVERY_OF_HOST: &str = "discovery goes with service: remove it beside host";

/// What the name of a version or of a parameter must be.
pub const WORD: &str = "write one word of letters, digits, ., _ and -: v2";
/// What a date must be.
pub const DATE: &str = "write a day, 2026-06-01, or a moment, 2026-06-01T12:00:00Z";
/// What is said of a version that is gone before it is deprecated (RFC 9745 section 4).
pub const SUNSET_AFTER: &str = "a version is deprecated before it is gone: write a later date";
/// What the link of a version must be.
pub const LINK: &str = "write a URL: https://docs.example.com/v1";
/// What is said of a link that has nothing to tell about.
pub const LINK_OF_DEPRECATED: &str =
    "link goes with deprecated or sunset: write deprecated: 2026-06-01";
/// What is said of versions without a list of them.
pub const KNOWN_VERSIONS: &str = "versions need a list: write known: [{name: v1}, {name: v2}]";
/// What is said of a version that a match asks for, where there are none.
pub const VERSION_OF_POLICY: &str = "version goes with policy.versions: write spec.policy.versions: {known: [{name: v1}, {name: v2}]}";

/// What is said of a test that asks for nothing.
pub const TEST_EXPECTS: &str =
    "a test expects something: write rule: quotes, backend: finance, path: /fin/x or status: 404";

/// What the path of a test must be.
pub const TEST_PATH: &str =
    "the path of a request begins with / and holds no blank or fragment: write /e/fin/x?y=1";
/// What is said of a namespace beside a host.
pub const NAMESPACE_OF_HOST: &str = "namespace goes with service: remove it beside host";
/// What a backend must name; a mirror is one too.
pub const ONE_BACKEND: &str = "a backend has either service or host: write service: finance for a Service, or host: api.example.com with a port";
/// What is said of a backend with a host alone.
pub const PORT_OF_HOST: &str = "a backend with host needs a port: write port: 443";
/// What the percent of a mirror must be.
pub const PERCENT: &str =
    "a percent is a number from 0 to 100, of at least 0.0001 when it is not 0: write 10, or 0.5";
/// What is said of more mirrors than a rule may have.
pub const MIRRORS: &str = "a rule has at most 4 mirrors: each costs as much as the request itself";
/// What is said of a mirror where nothing is forwarded.
pub const MIRROR_OF_BACKENDS: &str =
    "mirror goes with backends: remove it beside redirect and respond";
/// What is said of a mirror in the settings of an operator.
pub const MIRROR_OF_ROUTES: &str =
    "mirrors are found from the namespace of a ServiceRoute: write them in its spec.policy";

/// Length of the longest label.
pub const LONGEST_LABEL: usize = 63;
/// Length of the longest name of an object.
pub const LONGEST_NAME: usize = 253;

/// Whether a text is one word of letters, digits, `.`, `_` and `-`.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_LABEL).contains(&text.len()) && text.bytes().all(good)
}

/// Whether a text is a label (RFC 1123): lower case letters, digits and `-`, with a letter or digit
/// at both ends.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST_LABEL
        && text.bytes().all(|byte| word(byte) || byte == b'-')
        && text.bytes().next().is_some_and(word)
        && text.bytes().last().is_some_and(word)
}

/// Whether a text is the name of a Service (RFC 1035): a label that begins with a letter.
#[must_use]
pub fn is_service(text: &str) -> bool {
    is_label(text) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Whether a text is the name of an object (RFC 1123): labels with dots between.
#[must_use]
pub fn is_object(text: &str) -> bool {
    text.len() <= LONGEST_NAME && text.split('.').all(is_label)
}
