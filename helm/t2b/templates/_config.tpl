{{/* The configuration file of the gateways. */}}

{{/* All keys: those of the values, under those that the chart itself must set. */}}
{{- define "t2b.config" -}}
{{- $values := .Values -}}
{{- $name := printf "%s-admin" (include "t2b.fullname" .) -}}
{{- $config := deepCopy $values.config -}}
{{- $address := ternary "0.0.0.0" "[::]" (eq $values.ipFamily "ipv4") -}}
{{- $_ := set $config "listen" (printf "%s:3000" $address) -}}
{{- $_ := set $config "admin_listen" (printf "%s:9464" $address) -}}
{{- $_ := set $config "secrets_file" "/etc/t2b/secrets/secrets" -}}
{{- $_ := set $config "admin_token_file" "/etc/t2b/secrets/admin-token" -}}
{{- $_ := set $config "state_dir" "/var/lib/t2b" -}}
{{- /* The admin listener checks Host. Addresses are always allowed, the names of its Service are not. */ -}}
{{- $hosts := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) -}}
{{- $hosts = append $hosts (printf "%s.%s.svc.%s" $name .Release.Namespace $values.clusterDomain) -}}
{{- $_ := set $config "allowed_hosts" (concat ($config.allowed_hosts | default list) $hosts) -}}
{{- if include "t2b.redisSecret" . -}}
{{- $_ := set $config "redis_url_file" "/etc/t2b/redis/url" -}}
{{- else if $values.redis.url -}}
{{- $_ := set $config "redis_url" $values.redis.url -}}
{{- else if $values.valkey.enabled -}}
{{- $_ := set $config "redis_url" (printf "redis://%s-valkey:6379" (include "t2b.fullname" .)) -}}
{{- end -}}
{{- if $values.redis.clientCertSecret -}}
{{- $_ := set $config "redis_client_cert" "/etc/t2b/redis-client/tls.crt" -}}
{{- $_ := set $config "redis_client_key" "/etc/t2b/redis-client/tls.key" -}}
{{- end -}}
{{- if $values.tls.enabled -}}
{{- $_ := set $config "tls_cert" "/etc/t2b/tls/tls.crt" -}}
{{- $_ := set $config "tls_key" "/etc/t2b/tls/tls.key" -}}
{{- end -}}
{{- if $values.adminTls.existingSecret -}}
{{- $_ := set $config "admin_tls_cert" "/etc/t2b/admin-tls/tls.crt" -}}
{{- $_ := set $config "admin_tls_key" "/etc/t2b/admin-tls/tls.key" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "t2b.toml" -}}
{{- include "t2b.tomlTable" (dict "table" (include "t2b.config" . | fromYaml) "path" "") | trim -}}
{{- end -}}

{{/* A table and those below it. The chart writes TOML itself: Helm's numbers are floats, and its toToml writes 10 as 10.0. */}}
{{- define "t2b.tomlTable" -}}
{{- range $key, $value := .table }}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value)) }}
{{ include "t2b.tomlKey" $key }} = {{ include "t2b.tomlValue" $value }}
{{- end }}
{{- end }}
{{- $path := .path }}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $name := printf "%s%s" $path (include "t2b.tomlKey" $key) }}
[{{ $name }}]
{{- include "t2b.tomlTable" (dict "table" $value "path" (printf "%s." $name)) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "t2b.tomlKey" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . -}}{{ . }}{{- else -}}{{ toRawJson . }}{{- end -}}
{{- end -}}

{{- define "t2b.tomlValue" -}}
{{- if kindIs "slice" . -}}
[{{- range $index, $item := . -}}{{- if $index }}, {{ end -}}{{- include "t2b.tomlValue" $item -}}{{- end -}}]
{{- else if kindIs "string" . -}}
{{ toRawJson . }}
{{- else if and (kindIs "float64" .) (eq . (floor .)) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}
