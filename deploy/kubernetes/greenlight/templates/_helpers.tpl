{{- define "greenlight.labels" -}}
app.kubernetes.io/name: greenlight
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Of a pod: takes the root and the component's name. */}}
{{- define "greenlight.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: greenlight
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "greenlight.image" -}}
{{- required "image.tag: which version of the image?" .Values.image.tag | printf "%s:%s" .Values.image.repository -}}
{{- end }}

{{- /* Nobody on the node, and nothing that he could become. */}}
{{- define "greenlight.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "greenlight.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end }}

{{- define "greenlight.environment" -}}
- configMapRef:
    name: {{ .Release.Name }}-settings
- secretRef:
    name: {{ .Values.secret }}
{{- end }}

{{- /* The data folder: what is in it is lost with the pod, unless there is a claim that all share. */}}
{{- define "greenlight.dataVolume" -}}
name: data
{{- with .Values.runs.dataClaim }}
persistentVolumeClaim:
  claimName: {{ . }}
{{- else }}
emptyDir: {}
{{- end }}
{{- end }}

{{- define "greenlight.settings" -}}
GREENLIGHT_DATA_DIR: /data
APP_BASE_URL: {{ required "hosts.studio: the studio's name" .Values.hosts.studio | printf "https://%s" | quote }}
GREENLIGHT_PAGES_URL: {{ required "hosts.pages: the name of published pages" .Values.hosts.pages | printf "https://%s" | quote }}
GREENLIGHT_DAGSTER_UI_URL: {{ required "hosts.dagster: the Dagster UI's name" .Values.hosts.dagster | printf "https://%s" | quote }}
GREENLIGHT_REALTIME_CONCURRENCY: {{ .Values.slots.realtime | quote }}
WORKER_CONCURRENCY: {{ .Values.slots.standard | quote }}
WORKER_HEAVY_CONCURRENCY: {{ .Values.slots.heavy | quote }}
GREENLIGHT_PROJECT_CONCURRENCY: {{ .Values.slots.perProject | quote }}
GREENLIGHT_LAUNCH_LEASE_SECONDS: {{ .Values.launchLeaseSeconds | quote }}
GREENLIGHT_KUBERNETES_LANES: {{ .Values.lanes | toJson | quote }}
# More than there are sensors that wait, so that others are evaluated as well. The smaller of the two counts.
DAGSTER_GRPC_MAX_WORKERS: "20"
DAGSTER_CODE_SERVER_MAX_WORKERS: "20"
{{- with .Values.trustedProxies }}
GREENLIGHT_TRUSTED_PROXIES: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
