{{- define "greenlight.dagsterStorage" -}}
storage:
  custom:
    module: greenlight_dagster.instance.storage
    class: PooledPostgresStorage
    config:
      postgres_url:
        env: GREENLIGHT_DAGSTER_DATABASE_URL
{{- end }}

{{- /* dagster.yaml of daemon and web server. The sections that say nothing of Kubernetes are those of the root's. */}}
{{- define "greenlight.dagster" -}}
{{ include "greenlight.dagsterStorage" . }}

run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator

run_launcher:
  module: dagster_k8s
  class: K8sRunLauncher
  config:
    load_incluster_config: true
    job_namespace: {{ .Release.Namespace }}
    service_account_name: {{ .Release.Name }}-run
    image_pull_policy: {{ .Values.image.pullPolicy }}
    {{- with .Values.imagePullSecrets }}
    image_pull_secrets: {{ toJson . }}
    {{- end }}
    dagster_home: /etc/greenlight/dagster
    instance_config_map: {{ .Release.Name }}-dagster
    env_config_maps: [{{ .Release.Name }}-settings]
    env_secrets: [{{ .Values.secret }}]
    # A run that failed is a Job that failed, for whoever looks at the cluster; nobody runs it again because of that.
    fail_pod_on_run_failure: true
    resources: {{ toJson .Values.runs.resources }}
    security_context: {{ include "greenlight.containerSecurity" . | fromYaml | toJson }}
    volumes:
      - {{ include "greenlight.dataVolume" . | fromYaml | toJson }}
      - {"name": "dagster", "configMap": {"name": "{{ .Release.Name }}-dagster"}}
    volume_mounts:
      - {"name": "data", "mountPath": "/data"}
      - {"name": "dagster", "mountPath": "/etc/greenlight/dagster", "readOnly": true}
    run_k8s_config:
      pod_spec_config:
        # A run asks Kubernetes for nothing.
        automountServiceAccountToken: false
        terminationGracePeriodSeconds: {{ .Values.runs.terminationGracePeriodSeconds }}
        securityContext: {{ include "greenlight.podSecurity" . | fromYaml | toJson }}
        {{- with .Values.runs.nodeSelector }}
        nodeSelector: {{ toJson . }}
        {{- end }}
        {{- with .Values.runs.tolerations }}
        tolerations: {{ toJson . }}
        {{- end }}
      pod_template_spec_metadata:
        annotations:
          # Whoever saves nodes leaves this one until the run is over.
          cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
          karpenter.sh/do-not-disrupt: "true"
      job_spec_config:
        # Attempts are the queue's business: Kubernetes begins no run a second time, whatever became of the first.
        backoffLimit: 0
        podReplacementPolicy: Failed
        podFailurePolicy:
          rules:
            - action: FailJob
              onPodConditions: [{type: DisruptionTarget, status: "True"}]
        activeDeadlineSeconds: {{ .Values.runs.deadlineSeconds }}
        ttlSecondsAfterFinished: {{ .Values.runs.ttlSecondsAfterFinished }}

sensors:
  use_threads: true
  num_workers: 20
  num_submit_workers: 4

schedules:
  use_threads: true
  num_workers: 8
  num_submit_workers: 4

# The lease tells of a lost run within a minute, whatever its pod looks like, and the queue tries it again.
run_retries:
  enabled: false

run_monitoring:
  enabled: false

python_logs:
  dagster_handler_config:
    handlers:
      agent_job_events:
        class: greenlight_dagster.event_mirror.EventMirrorHandler

retention:
  schedule:
    purge_after_days: {skipped: 30, success: 30, failure: 30, started: 30}
  sensor:
    purge_after_days: {skipped: 3, success: 3, failure: 3, started: 3}

# In the studio's database, where the Dagster UI reads them whatever node the run was on.
compute_logs:
  module: greenlight_dagster.instance.shared_logs
  class: DatabaseComputeLogManager

telemetry:
  enabled: false

nux:
  enabled: false
{{- end }}
