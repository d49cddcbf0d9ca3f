{{- /* The sample services: name, and the prefix at which each serves. */ -}}
{{- define "fairway.demoServices" -}}
finance: fin
stock: stock
esg: esg
{{- end -}}

{{- /* The route of a sample service: a dictionary with root, service, prefix and the hook's annotations. */ -}}
{{- define "fairway.demoRoute" -}}
apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata:
  name: {{ include "fairway.fullname" .root }}-demo-{{ .service }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "fairway.demoLabels" .root | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .events }}
    helm.sh/hook-delete-policy: {{ .delete }}
spec:
  class: {{ .root.Values.class | quote }}
  rules:
    - name: all
      match:
        - path: /e/{{ .prefix }}/*
      rewrite: {path: /{{ .prefix }}/*}
      backends:
        - service: {{ include "fairway.fullname" .root }}-demo-{{ .service }}
          port: http
{{- end -}}
