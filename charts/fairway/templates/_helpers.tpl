{{- /* Names, labels and the parts that several objects share. */ -}}
{{- define "fairway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "fairway.fullname" -}}
{{- $name := include "fairway.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Objects without a namespace carry that of the release, so that two releases never share one. */ -}}
{{- define "fairway.clusterName" -}}
{{- printf "%s-%s" (include "fairway.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "fairway.selector" -}}
app.kubernetes.io/name: {{ include "fairway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "fairway.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: fairway
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "fairway.labels" -}}
{{ include "fairway.selector" . }}
{{ include "fairway.commonLabels" . }}
{{- end -}}

{{- define "fairway.demoLabels" -}}
app.kubernetes.io/name: {{ include "fairway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: demo
{{ include "fairway.commonLabels" . }}
{{- end -}}

{{- define "fairway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fairway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "fairway.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A duration such as 1m30s in whole seconds, rounded up. */ -}}
{{- define "fairway.seconds" -}}
{{- $milliseconds := 0 -}}
{{- range regexFindAll "[0-9]+(ms|h|m|s)" . -1 -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $factor := get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit -}}
{{- $milliseconds = add $milliseconds (mul $number $factor) -}}
{{- end -}}
{{- div (add $milliseconds 999) 1000 -}}
{{- end -}}

{{- /* The port of a listener at the Service. */ -}}
{{- define "fairway.servicePort" -}}
{{- default .port .servicePort | int -}}
{{- end -}}

{{- /* The listener that notes and the test speak of: http, or the first by name. */ -}}
{{- define "fairway.firstListener" -}}
{{- if hasKey .Values.listeners "http" -}}http{{- else -}}{{- keys .Values.listeners | sortAlpha | first -}}{{- end -}}
{{- end -}}

{{- /* "true" when pods take ports of their node, so that an old one must go before a new one comes. */ -}}
{{- define "fairway.takesHostPorts" -}}
{{- $takes := .Values.hostNetwork -}}
{{- range .Values.listeners -}}
{{- if .hostPort -}}{{- $takes = true -}}{{- end -}}
{{- end -}}
{{- if $takes -}}true{{- end -}}
{{- end -}}
