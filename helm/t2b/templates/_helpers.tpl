{{/* Names, labels, and what the values mean. */}}

{{- define "t2b.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters, so that the longest suffix, -dashboard-…, fits into 63. */}}
{{- define "t2b.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "t2b.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "t2b.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels by which objects select pods. They must never change: selectors are immutable. */}}
{{- define "t2b.selector" -}}
app.kubernetes.io/name: {{ include "t2b.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component | default "gateway" }}
{{- end -}}

{{- define "t2b.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "t2b.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The metadata of an object. Input: root, and optionally name, component, annotations, labels. */}}
{{- define "t2b.metadata" -}}
name: {{ .name | default (include "t2b.fullname" .root) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "t2b.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "t2b.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "t2b.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "t2b.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* Not empty if the gateways share a Redis. Without one, there is a single node with a volume. */}}
{{- define "t2b.clustered" -}}
{{- with .Values -}}
{{- if or .redis.url .redis.existingSecret .valkey.enabled (and .externalSecret.enabled .externalSecret.redisUrl) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "t2b.replicas" -}}
{{- .Values.replicaCount | default (ternary 3 1 (eq (include "t2b.clustered" .) "true")) -}}
{{- end -}}

{{/* Not empty if an autoscaler sets the number of replicas. */}}
{{- define "t2b.autoscaled" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled -}}true{{- end -}}
{{- end -}}

{{/* The Secret of the signing secrets and the admin token. */}}
{{- define "t2b.secret" -}}
{{- .Values.existingSecret | default (printf "%s-secrets" (include "t2b.fullname" .)) -}}
{{- end -}}

{{/* The Secret of the Redis URL; empty if the URL is in the values. */}}
{{- define "t2b.redisSecret" -}}
{{- if and .Values.externalSecret.enabled .Values.externalSecret.redisUrl -}}
{{- include "t2b.secret" . -}}
{{- else -}}
{{- .Values.redis.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "t2b.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "t2b.fullname" .)) -}}
{{- end -}}

{{/* Whole seconds of a time like 500ms, 30s, 5m, 24h or 7d, rounded up. */}}
{{- define "t2b.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" -}}
{{- div (add $number 999) 1000 -}}
{{- else -}}
{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit | default 1) -}}
{{- end -}}
{{- end -}}

{{- define "t2b.drainDeadline" -}}
{{- include "t2b.seconds" (.Values.config.drain_deadline | default "60s") -}}
{{- end -}}

{{/* The program ends by itself within drain_deadline; the kubelet kills it after the grace period. */}}
{{- define "t2b.grace" -}}
{{- .Values.terminationGracePeriodSeconds | default (add (include "t2b.drainDeadline" . | int64) 10) -}}
{{- end -}}
