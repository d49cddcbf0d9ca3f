{{- /* The pod of the gateway, the same in a Deployment and a DaemonSet. */ -}}
{{- define "fairway.pod" -}}
metadata:
  annotations:
    # Only what a running gateway cannot take up restarts the pods.
    fairway.dev/restart-settings: {{ include "fairway.restartSettings" . | sha256sum | trunc 16 | quote }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "fairway.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "fairway.serviceAccount" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
  enableServiceLinks: false
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  # The gateway itself goes unready at SIGTERM, accepts for drain.delay and ends after
  # drain.deadline at the latest.
  terminationGracePeriodSeconds: {{ add (include "fairway.seconds" .Values.drain.delay) (include "fairway.seconds" .Values.drain.deadline) 5 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  containers:
    - name: gateway
      image: {{ include "fairway.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - run
        - --config=/etc/fairway/fairway.yaml
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- range $variable, $field := dict "FAIRWAY_POD_NAME" "metadata.name" "FAIRWAY_POD_NAMESPACE" "metadata.namespace" "FAIRWAY_POD_UID" "metadata.uid" }}
        - name: {{ $variable }}
          valueFrom: {fieldRef: {fieldPath: {{ $field }}}}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- range $name, $listener := .Values.listeners }}
        - name: {{ $name | trunc 15 | trimSuffix "-" }}
          containerPort: {{ int $listener.port }}
          {{- if $.Values.hostNetwork }}
          hostPort: {{ int $listener.port }}
          {{- else if $listener.hostPort }}
          hostPort: {{ int $listener.hostPort }}
          {{- end }}
        {{- end }}
        - name: status
          containerPort: {{ int .Values.statusPort }}
          {{- if .Values.hostNetwork }}
          hostPort: {{ int .Values.statusPort }}
          {{- end }}
      {{- range $probe, $path := dict "startup" "/healthz" "liveness" "/healthz" "readiness" "/readyz" }}
      {{ $probe }}Probe:
        httpGet: {path: {{ $path }}, port: status}
        {{- with get $.Values.probes $probe }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        # The whole folder: a single file would never change in a running pod.
        - name: settings
          mountPath: /etc/fairway
          readOnly: true
        {{- range .Values.certificates }}
        - name: certificate-{{ . | sha256sum | trunc 10 }}
          mountPath: {{ printf "/etc/fairway-certificates/%s" . | quote }}
          readOnly: true
        {{- end }}
        {{- if .Values.keptInputs.enabled }}
        - name: state
          mountPath: /var/lib/fairway
        {{- end }}
  volumes:
    - name: settings
      configMap:
        name: {{ include "fairway.fullname" . }}
    {{- range .Values.certificates }}
    - name: certificate-{{ . | sha256sum | trunc 10 }}
      secret:
        secretName: {{ . | quote }}
    {{- end }}
    {{- if .Values.keptInputs.enabled }}
    - name: state
      emptyDir:
        {{- if .Values.secrets }}
        # It holds private keys: they are written to no disk.
        medium: Memory
        {{- end }}
        sizeLimit: {{ .Values.keptInputs.sizeLimit }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and (eq .Values.kind "Deployment") .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range .Values.topologySpreadConstraints }}
    {{- $ours := dict "labelSelector" (dict "matchLabels" (include "fairway.selector" $ | fromYaml)) "matchLabelKeys" (list "pod-template-hash") }}
    - {{- toYaml (mergeOverwrite $ours .) | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}
