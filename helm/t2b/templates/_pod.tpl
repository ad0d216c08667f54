{{/* The pod of a gateway, the same in the Deployment and in the StatefulSet. */}}

{{/* Volumes, each with where it is mounted: name, path, and the source of the volume. */}}
{{- define "t2b.mounts" -}}
{{- $name := include "t2b.fullname" . -}}
{{- $values := .Values -}}
- name: config
  path: /etc/t2b/config
  source:
    configMap: {name: {{ $name }}-config}
- name: secrets
  path: /etc/t2b/secrets
  source:
    secret:
      secretName: {{ include "t2b.secret" . }}
      defaultMode: 0440
      items:
        - {key: {{ $values.existingSecretKeys.secrets | quote }}, path: secrets}
        - {key: {{ $values.existingSecretKeys.adminToken | quote }}, path: admin-token}
{{- if include "t2b.clustered" . }}
- name: state
  path: /var/lib/t2b
  source:
    emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- with include "t2b.redisSecret" . }}
- name: redis
  path: /etc/t2b/redis
  source:
    secret:
      secretName: {{ . }}
      defaultMode: 0440
      items:
        - {key: {{ ternary $values.redis.existingSecretKey "redis-url" (ne $values.redis.existingSecret "") | quote }}, path: url}
{{- end }}
{{- with $values.redis.caSecret }}
- name: redis-ca
  path: /etc/t2b/redis-ca
  source:
    secret:
      secretName: {{ . }}
      defaultMode: 0440
      items:
        - {key: {{ $values.redis.caSecretKey | quote }}, path: ca.crt}
{{- end }}
{{- with $values.redis.clientCertSecret }}
- name: redis-client
  path: /etc/t2b/redis-client
  source:
    secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if $values.tls.enabled }}
- name: tls
  path: /etc/t2b/tls
  source:
    secret: {secretName: {{ include "t2b.tlsSecret" . }}, defaultMode: 0440}
{{- end }}
{{- with $values.adminTls.existingSecret }}
- name: admin-tls
  path: /etc/t2b/admin-tls
  source:
    secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* The environment. A variable of extraEnv replaces one of the same name: the API server refuses duplicates. */}}
{{- define "t2b.env" -}}
{{- $env := dict "T2B_CONFIG" (dict "name" "T2B_CONFIG" "value" "/etc/t2b/config/t2b.toml") -}}
{{- if .Values.redis.caSecret -}}
{{- $_ := set $env "SSL_CERT_FILE" (dict "name" "SSL_CERT_FILE" "value" "/etc/t2b/redis-ca/ca.crt") -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- $_ := set $env .name . -}}
{{- end -}}
{{- range $name := keys $env | sortAlpha }}
- {{ toYaml (get $env $name) | nindent 2 | trim }}
{{- end -}}
{{- end -}}

{{- define "t2b.probe" -}}
httpGet:
  path: {{ .path }}
  port: admin
  {{- if .root.Values.adminTls.existingSecret }}
  scheme: HTTPS
  {{- end }}
{{ toYaml .times }}
{{- end -}}

{{- define "t2b.podTemplate" -}}
{{- $values := .Values -}}
{{- $mounts := include "t2b.mounts" . | fromYamlArray -}}
metadata:
  labels:
    {{- include "t2b.selector" (dict "root" .) | nindent 4 }}
    {{- with merge (deepCopy $values.podLabels) $values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- /* Of the data only: a new version of the chart must not restart the gateways. */}}
    checksum/config: {{ include "t2b.toml" . | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "t2b.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "t2b.grace" . }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  containers:
    - name: t2b
      image: {{ include "t2b.image" . }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [gateway, run]
      env:
        {{- include "t2b.env" . | trim | nindent 8 }}
      ports:
        - {name: http, containerPort: 3000, protocol: TCP}
        - {name: admin, containerPort: 9464, protocol: TCP}
      startupProbe:
        {{- include "t2b.probe" (dict "root" . "path" "/healthz" "times" $values.startupProbe) | nindent 8 }}
      livenessProbe:
        {{- include "t2b.probe" (dict "root" . "path" "/healthz" "times" $values.livenessProbe) | nindent 8 }}
      readinessProbe:
        {{- include "t2b.probe" (dict "root" . "path" "/readyz" "times" $values.readinessProbe) | nindent 8 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- toYaml $values.securityContext | nindent 8 }}
      volumeMounts:
        {{- range $mounts }}
        - {name: {{ .name }}, mountPath: {{ .path }}{{ if ne .name "state" }}, readOnly: true{{ end }}}
        {{- end }}
        {{- if not (include "t2b.clustered" .) }}
        - {name: state, mountPath: /var/lib/t2b}
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- range $mounts }}
    - name: {{ .name }}
      {{- toYaml .source | nindent 6 }}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if kindIs "invalid" $values.topologySpreadConstraints }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "t2b.selector" (dict "root" $) | nindent 10 }}
    {{- end }}
    {{- else }}
    {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
    {{- end }}
{{- end -}}
