//! The table of settings: name, environment variable, default and meaning. Flags, the
//! environment, the file and the reference in the docs are all made from it.

/// A setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The flag without its dashes; in the file the same in camel case.
    pub(crate) name: &'static str,
    /// The environment variable; several values are separated by commas.
    pub(crate) variable: &'static str,
    /// What stands for a value in help; empty for a switch.
    pub(crate) value: &'static str,
    pub(crate) default: &'static str,
    pub(crate) many: bool,
    /// Never shown, and not a flag, since others can see the arguments of a process.
    pub(crate) secret: bool,
    /// Only in the file: it is more than a line.
    pub(crate) file_only: bool,
    /// A running gateway takes a change in the file up.
    pub(crate) live: bool,
    pub(crate) help: &'static str,
}

macro_rules! settings {
    ($($name:literal, $variable:literal, $value:literal, $default:literal, [$($mark:ident),*], $help:literal;)*) => {
        pub(crate) const SETTINGS: &[Setting] = &[$(
            #[allow(clippy::needless_update, reason = "most settings have no mark")]
            Setting { $($mark: true,)* ..setting($name, $variable, $value, $default, $help) }
        ),*];
    };
}

const fn setting(
    name: &'static str,
    variable: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting {
        name,
        variable,
        value,
        default,
        many: false,
        secret: false,
        file_only: false,
        live: false,
        help,
    }
}

settings! {
    "manifests", "FAIRWAY_MANIFESTS", "DIR", "", [many],
        "Serve the manifests of this folder or file, without a cluster; may be given several times";
    "kubeconfig", "FAIRWAY_KUBECONFIG", "FILE", "in-cluster, KUBECONFIG, ~/.kube/config", [],
        "The kubeconfig of the cluster to serve";
    "context", "FAIRWAY_CONTEXT", "NAME", "the current one", [],
        "The context of the kubeconfig";
    "namespaces", "FAIRWAY_NAMESPACES", "NAME", "all", [many],
        "Watch these namespaces only";
    "state-dir", "FAIRWAY_STATE_DIR", "DIR", "", [],
        "Keep the last good objects in this folder, to serve them when the API server is away at a start";
    "pod-name", "FAIRWAY_POD_NAME", "NAME", "", [],
        "The name of the pod that this is";
    "pod-namespace", "FAIRWAY_POD_NAMESPACE", "NAME", "", [],
        "The namespace of the pod; there replicas of a class agree on the one that writes status. Without it this process takes itself as the only one";
    "pod-uid", "FAIRWAY_POD_UID", "UID", "", [],
        "The uid of the pod, by which its report goes with it";
    "class", "FAIRWAY_CLASS", "NAME", "fairway", [],
        "Serve the ServiceRoutes of this class";
    "listen", "FAIRWAY_LISTEN", "NAME=ADDRESS", "http=0.0.0.0:8080", [many, live],
        "A listener and its address; in the file `listeners` is a table that also holds normalization and policy";
    "status", "FAIRWAY_STATUS", "ADDRESS", "0.0.0.0:9901", [],
        "The status port: health, readiness, metrics";
    "admin", "FAIRWAY_ADMIN", "ADDRESS", "127.0.0.1:9902", [],
        "The admin port: the live page and the routes; beyond loopback it needs a token";
    "admin-token", "FAIRWAY_ADMIN_TOKEN", "TOKEN", "", [secret],
        "What callers of the admin port must show; from the environment or the file only";
    "workers", "FAIRWAY_WORKERS", "NUMBER", "one for each processor", [],
        "Threads that serve traffic";
    "access-log", "FAIRWAY_ACCESS_LOG", "", "true", [live],
        "Write one JSON line to stdout for each request";
    "redact", "FAIRWAY_REDACT", "NAME", "the usual ones", [many],
        "Query parameters and header fields whose values are never told, beside those that usually hold credentials; with none, these alone";
    "process-time", "FAIRWAY_PROCESS_TIME", "", "true", [],
        "Tell clients X-Process-Time, in seconds";
    "server-timing", "FAIRWAY_SERVER_TIMING", "", "true", [],
        "Tell clients Server-Timing, in milliseconds";
    "dns", "FAIRWAY_DNS", "ADDRESS", "/etc/resolv.conf", [many],
        "Ask these DNS servers for the names of backends";
    "service-dns", "FAIRWAY_DNS_TEMPLATE", "TEMPLATE", "{service}.{namespace}.svc.cluster.local.", [live],
        "The DNS name of a Service; {service} is enough for docker compose";
    "discovery", "FAIRWAY_DISCOVERY", "WHERE", "dns", [live],
        "Where the endpoints of a Service are learnt when its backend does not say: dns, or endpoints (EndpointSlices)";
    "backend", "FAIRWAY_BACKEND", "NAMESPACE/SERVICE=HOST:PORT", "", [many, live],
        "Use this address for a Service; also FAIRWAY_BACKEND_<NAMESPACE>__<SERVICE>=host:port, in the file `backends`";
    "allow-external-hosts", "FAIRWAY_ALLOW_EXTERNAL_HOSTS", "HOST", "none in a cluster, all with --manifests", [many, live],
        "Hosts outside the cluster that backends may name; *.example.com allows all below";
    "allow-addresses", "FAIRWAY_ALLOW_ADDRESSES", "CIDR", "none in a cluster, all with --manifests", [many],
        "Loopback, link-local and metadata addresses that backends may have all the same, also by a name";
    "trusted-hops", "FAIRWAY_TRUSTED_HOPS", "NUMBER", "0", [],
        "Proxies between clients and the gateway, each of which adds its peer to X-Forwarded-For; 0 trusts none";
    "trusted-cidrs", "FAIRWAY_TRUSTED_CIDRS", "CIDR", "none", [many],
        "Peers whose X-Forwarded-* are believed; with --trusted-hops, only theirs";
    "host-policy", "", "", "", [file_only, live],
        "Which hosts, and which paths under them, each namespace may use; without it every namespace may use everything";
    "defaults", "", "", "", [file_only, live],
        "Policy where listener, spec and rule say nothing";
    "overrides", "", "", "", [file_only, live],
        "Policy that wins over every other";
    "drain-delay", "FAIRWAY_DRAIN_DELAY", "DURATION", "5s", [],
        "How long connections are still accepted after SIGTERM, while readiness is off already";
    "drain-deadline", "FAIRWAY_DRAIN_DEADLINE", "DURATION", "30s", [],
        "How long requests in flight may go on after that";
    "client-idle", "FAIRWAY_CLIENT_IDLE", "DURATION", "75s", [],
        "How long a client's connection may be idle between requests";
    "client-head", "FAIRWAY_CLIENT_HEAD", "DURATION", "15s", [],
        "How long the head of a request may take";
    "client-head-bytes", "FAIRWAY_CLIENT_HEAD_BYTES", "NUMBER", "65536", [],
        "The greatest head of a request";
    "client-head-fields", "FAIRWAY_CLIENT_HEAD_FIELDS", "NUMBER", "128", [],
        "The most fields of a head";
    "client-target-bytes", "FAIRWAY_CLIENT_TARGET_BYTES", "NUMBER", "16384", [],
        "The longest target of a request, its path and query";
    "max-requests-per-connection", "FAIRWAY_MAX_REQUESTS_PER_CONNECTION", "NUMBER", "0", [],
        "Requests after which a client's connection is ended in order; 0 is no limit";
    "client-send-rate", "FAIRWAY_CLIENT_SEND_RATE", "NUMBER", "500", [],
        "Bytes a second that a client sends of a body at least, while it is waited for; it may be behind for timeouts.idle, and 0 is no limit";
    "client-read-rate", "FAIRWAY_CLIENT_READ_RATE", "NUMBER", "500", [],
        "The same for what a client takes of an answer";
    "max-connections", "FAIRWAY_MAX_CONNECTIONS", "NUMBER", "half of the files that may be open", [],
        "Connections of clients that may be open at once; others are closed at once";
    "max-connections-per-client", "FAIRWAY_MAX_CONNECTIONS_PER_CLIENT", "NUMBER", "0", [],
        "The same for one client's address; trusted peers are not counted, and 0 is no limit";
    "max-requests", "FAIRWAY_MAX_REQUESTS", "NUMBER", "0", [],
        "Requests that may be in flight at once; others are answered 503, and 0 is no limit";
    "shed-memory-percent", "FAIRWAY_SHED_MEMORY_PERCENT", "NUMBER", "95", [],
        "New requests are answered 503 while more than this part of the container's memory is used; 0 for never";
    "http2-streams", "FAIRWAY_HTTP2_STREAMS", "NUMBER", "128", [],
        "Streams that a client may have open at once over a connection of HTTP/2";
    "upstream-idle", "FAIRWAY_UPSTREAM_IDLE", "DURATION", "15s", [],
        "How long an idle connection to a backend is kept";
    "upstream-idle-connections", "FAIRWAY_UPSTREAM_IDLE_CONNECTIONS", "NUMBER", "256", [],
        "Idle connections that each worker keeps to one endpoint";
    "mirrors-in-flight", "FAIRWAY_MIRRORS_IN_FLIGHT", "NUMBER", "256", [],
        "Copies of requests that each worker may have on their way to mirrors; beyond it requests are not copied";
    "certificates", "FAIRWAY_CERTIFICATES", "DIR", "", [many],
        "Folders of certificates for HTTPS, each with tls.crt and tls.key; the first is for clients that name no other";
    "secrets", "FAIRWAY_SECRETS", "", "true", [],
        "Read the Secrets of type kubernetes.io/tls that ServiceRoutes name; without, none is watched, and the right to read them is not needed";
    "upgrades", "FAIRWAY_UPGRADES", "PROTOCOL", "websocket", [many],
        "Protocols that a request may switch to with Upgrade; none for none";
    "takeover", "FAIRWAY_TAKEOVER", "", "false", [],
        "Share the ports of a running gateway, to take over from it";
    "log-level", "FAIRWAY_LOG_LEVEL", "LEVEL", "info", [live],
        "What is told on stderr: off, error, warn, info, debug or trace, or a filter such as info,fairway_controller=debug";
    "log-format", "FAIRWAY_LOG_FORMAT", "FORMAT", "text on a terminal, else json", [],
        "How it is told: text or json";
}

impl Setting {
    /// The name in the file: `access-log` is `accessLog`; two have a table of their own.
    pub(crate) fn key(&self) -> String {
        match self.name {
            "listen" => return "listeners".to_owned(),
            "backend" => return "backends".to_owned(),
            _ => {}
        }
        let mut key = String::with_capacity(self.name.len());
        let mut upper = false;
        for c in self.name.chars() {
            match c {
                '-' => upper = true,
                _ if upper => {
                    upper = false;
                    key.push(c.to_ascii_uppercase());
                }
                _ => key.push(c),
            }
        }
        key
    }

    /// Whether its value is true or false.
    pub(crate) const fn is_switch(&self) -> bool {
        self.value.is_empty() && !self.file_only
    }
}

/// The name in the file of the setting with this flag.
pub(crate) fn key(name: &str) -> String {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.map_or_else(|| name.to_owned(), Setting::key)
}

/// Whether a running gateway takes a change of this setting up.
pub(crate) fn live(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name && setting.live)
}

/// The table as Markdown.
pub(crate) fn markdown() -> String {
    let mut out = String::from(
        "| flag | environment | file | default | live | meaning |\n|---|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let flag = if setting.secret || setting.file_only {
            String::new()
        } else if setting.is_switch() {
            format!("`--{}[=false]`", setting.name)
        } else {
            format!("`--{} {}`", setting.name, setting.value)
        };
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
        out.push_str(&format!(
            "| {flag} | {} | `{}` | {} | {} | {} |\n",
            code(setting.variable),
            setting.key(),
            setting.default,
            if setting.live { "yes" } else { "" },
            setting.help
        ));
    }
    out
}
