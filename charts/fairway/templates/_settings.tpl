{{- /* Settings that a running gateway takes up by itself. */ -}}
{{- define "fairway.liveSettings" -}}
listeners:
{{- range $name, $listener := .Values.listeners }}
  {{ $name }}:
    bind: {{ printf "%s:%d" (default "0.0.0.0" $listener.bind) (int $listener.port) | quote }}
    {{- with $listener.protocol }}
    protocol: {{ . }}
    {{- end }}
    {{- if $listener.proxyProtocol }}
    proxyProtocol: true
    {{- end }}
    {{- with $listener.normalization }}
    normalization: {{ toJson . }}
    {{- end }}
    {{- with $listener.policy }}
    policy: {{ toJson . }}
    {{- end }}
{{- end }}
{{- with .Values.hostPolicy }}
hostPolicy: {{ toJson . }}
{{- end }}
defaults: {{ toJson .Values.defaults }}
overrides: {{ toJson .Values.overrides }}
backends: {{ toJson .Values.backends }}
allowExternalHosts: {{ toJson .Values.allowExternalHosts }}
serviceDns: {{ printf "{service}.{namespace}.svc.%s." (trimSuffix "." .Values.clusterDomain) | quote }}
discovery: {{ .Values.discovery }}
accessLog: {{ .Values.log.access }}
logLevel: {{ .Values.log.level | quote }}
{{- end -}}

{{- /* Settings that need a restart. The pods carry their checksum. */ -}}
{{- define "fairway.restartSettings" -}}
class: {{ .Values.class | quote }}
namespaces: {{ toJson .Values.watch.namespaces }}
{{- with .Values.certificates }}
certificates:
{{- range . }}
  - {{ printf "/etc/fairway-certificates/%s" . | quote }}
{{- end }}
{{- end }}
secrets: {{ .Values.secrets }}
allowAddresses: {{ toJson .Values.allowAddresses }}
trustedHops: {{ int .Values.trustedHops }}
trustedCidrs: {{ toJson .Values.trustedCidrs }}
status: {{ printf "0.0.0.0:%d" (int .Values.statusPort) | quote }}
admin: {{ printf "127.0.0.1:%d" (int .Values.adminPort) | quote }}
logFormat: {{ .Values.log.format }}
{{- with .Values.log.redact }}
redact: {{ toJson . }}
{{- end }}
drainDelay: {{ .Values.drain.delay }}
drainDeadline: {{ .Values.drain.deadline }}
{{- if .Values.keptInputs.enabled }}
stateDir: /var/lib/fairway
{{- end }}
{{- with .Values.settings }}
{{- if .workers }}
workers: {{ int .workers }}
{{- end }}
{{- with .dns }}
dns: {{ toJson . }}
{{- end }}
processTime: {{ .processTime }}
serverTiming: {{ .serverTiming }}
clientIdle: {{ .clientIdle }}
clientHead: {{ .clientHead }}
clientHeadBytes: {{ int .clientHeadBytes }}
clientSendRate: {{ int .clientSendRate }}
clientReadRate: {{ int .clientReadRate }}
{{- if .maxConnections }}
maxConnections: {{ int .maxConnections }}
{{- end }}
maxConnectionsPerClient: {{ int .maxConnectionsPerClient }}
maxRequests: {{ int .maxRequests }}
shedMemoryPercent: {{ int .shedMemoryPercent }}
http2Streams: {{ int .http2Streams }}
maxRequestsPerConnection: {{ int .maxRequestsPerConnection }}
clientHeadFields: {{ int .clientHeadFields }}
clientTargetBytes: {{ int .clientTargetBytes }}
upstreamIdle: {{ .upstreamIdle }}
upstreamIdleConnections: {{ int .upstreamIdleConnections }}
mirrorsInFlight: {{ int .mirrorsInFlight }}
upgrades: {{ toJson .upgrades }}
{{- end }}
{{- end -}}
