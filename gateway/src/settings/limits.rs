//! How much, how long and how many: what the data plane takes of clients, and holds for them.

use fairway_dataplane::Config;

use super::parse::Reader;
use super::values;

impl Reader<'_> {
    /// `defaults` with the limits that are given.
    pub(super) fn limits(&mut self, defaults: Config) -> Config {
        let shed = defaults.shed_memory_percent;
        Config {
            client_idle: self.or("client-idle", values::client_limit, defaults.client_idle),
            client_head: self.or("client-head", values::client_limit, defaults.client_head),
            client_head_bytes: self.or(
                "client-head-bytes",
                values::head_bytes,
                defaults.client_head_bytes,
            ),
            client_head_fields: self.or(
                "client-head-fields",
                values::head_fields,
                defaults.client_head_fields,
            ),
            client_target_bytes: self.or(
                "client-target-bytes",
                values::target_bytes,
                defaults.client_target_bytes,
            ),
            max_requests_per_connection: self.or("max-requests-per-connection", values::number, 0),
            client_send_rate: self.or("client-send-rate", values::rate, defaults.client_send_rate),
            client_read_rate: self.or("client-read-rate", values::rate, defaults.client_read_rate),
            http2_streams: self.or("http2-streams", values::streams, defaults.http2_streams),
            max_connections: self.one("max-connections", values::some),
            max_connections_per_client: self.or("max-connections-per-client", values::count, 0),
            max_requests: self.or("max-requests", values::count, 0),
            shed_memory_percent: self.or("shed-memory-percent", values::percent, shed),
            upstream_idle: self.or("upstream-idle", values::duration, defaults.upstream_idle),
            upstream_idle_connections: self.or(
                "upstream-idle-connections",
                values::count,
                defaults.upstream_idle_connections,
            ),
            mirrors_in_flight: self.or(
                "mirrors-in-flight",
                values::count,
                defaults.mirrors_in_flight,
            ),
            ..defaults
        }
    }
}
