{{- define "fairlead.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Prefix of the names; short enough for every suffix below. */}}
{{- define "fairlead.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "fairlead.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "fairlead.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels of one part; called with (list root part). */}}
{{- define "fairlead.labels" -}}
{{- $root := first . -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: fairlead
{{ include "fairlead.selector" . }}
{{- end }}

{{- define "fairlead.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ include "fairlead.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{- define "fairlead.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (printf "%s-operator" (include "fairlead.fullname" .)) }}
{{- end }}

{{/* Which parts run in this release: "true" or nothing. */}}
{{- define "fairlead.postgresql.enabled" -}}
{{- $external := or .Values.externalDatabase.url .Values.externalDatabase.existingSecret }}
{{- if or .Values.postgresql.enabled (and .Values.bundled.enabled (not $external)) }}true{{ end }}
{{- end }}

{{- define "fairlead.mlflow.enabled" -}}
{{- if or .Values.mlflow.enabled (and .Values.bundled.enabled (not .Values.externalMlflow.url)) }}true{{ end }}
{{- end }}

{{- define "fairlead.prometheus.enabled" -}}
{{- if or .Values.prometheus.enabled (and .Values.bundled.enabled (not .Values.externalPrometheus.url)) }}true{{ end }}
{{- end }}

{{/* Nothing sends alerts to a bundled Alertmanager but a bundled Prometheus. */}}
{{- define "fairlead.alertmanager.enabled" -}}
{{- $wanted := and .Values.bundled.enabled (include "fairlead.prometheus.enabled" .) (not .Values.externalAlertmanager.url) }}
{{- if or .Values.alertmanager.enabled $wanted }}true{{ end }}
{{- end }}

{{/* A part's Service as seen from any namespace; called with (list root part). */}}
{{- define "fairlead.host" -}}
{{- $root := first . -}}
{{- printf "%s-%s.%s.svc" (include "fairlead.fullname" $root) (last .) $root.Release.Namespace }}
{{- end }}

{{- define "fairlead.mlflow.url" -}}
{{- .Values.externalMlflow.url | default (printf "http://%s:5000" (include "fairlead.host" (list . "mlflow"))) }}
{{- end }}

{{- define "fairlead.prometheus.url" -}}
{{- .Values.externalPrometheus.url | default (printf "http://%s:9090" (include "fairlead.host" (list . "prometheus"))) }}
{{- end }}

{{/* Not <fullname>-mlflow, which is fairlead-mlflow as a rule: so the namespaces' Secrets are named. */}}
{{- define "fairlead.mlflow.secret" -}}
{{- .Values.mlflow.existingSecret | default (printf "%s-mlflow-admin" (include "fairlead.fullname" .)) }}
{{- end }}

{{- define "fairlead.webhook.secret" -}}
{{- .Values.webhook.existingSecret | default "fairlead-webhook" }}
{{- end }}

{{/* secretKeyRef of the address of an external database. */}}
{{- define "fairlead.database.secretKeyRef" -}}
{{- if .Values.externalDatabase.existingSecret -}}
name: {{ .Values.externalDatabase.existingSecret }}
key: {{ .Values.externalDatabase.existingSecretKey }}
{{- else -}}
name: {{ include "fairlead.fullname" . }}-external-database
key: url
{{- end }}
{{- end }}

{{- define "fairlead.postgresql.secret" -}}
{{- .Values.postgresql.existingSecret | default (printf "%s-postgresql" (include "fairlead.fullname" .)) }}
{{- end }}

{{/* The Secrets that the operator fills in, as YAML. A chart that generated them would render others
     each time, and what compares Git with the cluster would never be done. */}}
{{- define "fairlead.generated" -}}
{{- if not .Values.webhook.existingSecret }}
- {secret: {{ include "fairlead.webhook.secret" . }}, keys: [token]}
{{- end }}
{{- if and (include "fairlead.postgresql.enabled" .) (not .Values.postgresql.existingSecret) }}
- {secret: {{ include "fairlead.postgresql.secret" . }}, keys: [postgres-password, mlflow-password, fairlead-password]}
{{- end }}
{{- if and (include "fairlead.mlflow.enabled" .) (not .Values.mlflow.existingSecret) }}
- {secret: {{ include "fairlead.mlflow.secret" . }}, keys: [admin-password, server-key]}
{{- end }}
{{- end }}

{{/* Pod settings that Pod Security `restricted` asks for; called with (list root uid). */}}
{{- define "fairlead.pod" -}}
{{- $root := first . -}}
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ last . }}
  runAsGroup: {{ last . }}
  fsGroup: {{ last . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "fairlead.container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Spec of a volume claim; called with a part's persistence values. */}}
{{- define "fairlead.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end }}

{{/* NetworkPolicy peers: training and serving pods of the namespaces that are watched. */}}
{{- define "fairlead.workloads" -}}
- namespaceSelector:
{{- if .Values.watchNamespaces }}
    matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson .Values.watchNamespaces }}}
{{- else }} {}
{{- end }}
  podSelector:
    matchExpressions:
      - {key: fairlead.dev/component, operator: In, values: [trainer, server]}
{{- end }}

{{/* The groups of files/rules.yaml with the values in place of ${…}: Prometheus and Helm write
     templates the same way, so the file has none of Helm's. */}}
{{- define "fairlead.rules" -}}
{{- $rules := .Values.rules -}}
{{- $values := dict
      "window" $rules.window
      "minRequests" $rules.minRequests
      "slow.milliseconds" $rules.slow.milliseconds
      "slow.quantile" $rules.slow.quantile
      "slow.for" $rules.slow.for
      "errors.ratio" $rules.errors.ratio
      "errors.for" $rules.errors.for
      "noEndpoints.for" $rules.noEndpoints.for
      "operatorDown.for" $rules.operatorDown.for
      "rolloutPaused.for" $rules.rolloutPaused.for
      "operatorJob" (printf "%s-operator" (include "fairlead.fullname" .)) -}}
{{- $text := .Files.Get "files/rules.yaml" -}}
{{- range $name, $value := $values }}
{{- $text = $text | replace (printf "${%s}" $name) (toString $value) }}
{{- end }}
{{- $switch := dict
      "FairleadVersionSlow" $rules.slow.enabled
      "FairleadVersionErrors" $rules.errors.enabled
      "FairleadNoEndpoints" $rules.noEndpoints.enabled
      "FairleadOperatorDown" $rules.operatorDown.enabled
      "FairleadRolloutPaused" $rules.rolloutPaused.enabled -}}
{{- $groups := list -}}
{{- range (fromYaml $text).groups }}
{{- $kept := list -}}
{{- range .rules }}
{{- if or .record (get $switch .alert) }}{{ $kept = append $kept . }}{{ end }}
{{- end }}
{{- if $kept }}{{ $groups = append $groups (dict "name" .name "rules" $kept) }}{{ end }}
{{- end }}
{{- toYaml (dict "groups" $groups) }}
{{- end }}
