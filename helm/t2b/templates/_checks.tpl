{{/* Values that contradict each other, and names that this chart does not have. Each sentence says what to do. */}}

{{/* Usual names of other charts, by path, with what to use here. values.schema.json accepts them, so that this table can answer. */}}
{{- define "t2b.renamed" -}}
secrets: "the chart takes no secrets, because each render would keep them in the release: create a Secret and name it in existingSecret"
secret: create a Secret and name it in existingSecret
adminToken: put the admin token into the Secret that existingSecret names
redisUrl: use redis.url, or redis.existingSecret if the URL has a password
redis.enabled: use redis.url or redis.existingSecret, or valkey.enabled for a trial
redis.host: use redis.url, for example redis://HOST:6379
redis.port: use redis.url, for example redis://HOST:6379
redis.password: put the whole URL into a Secret and name it in redis.existingSecret
redis.secretName: use redis.existingSecret
replicas: use replicaCount
env: use extraEnv
hpa: use autoscaling
pdb: use podDisruptionBudget
gateway: use httpRoute
serviceMonitor: use metrics.serviceMonitor
podMonitor: use metrics.podMonitor
prometheusRule: use metrics.rules
securityContextPod: use podSecurityContext
tls.secretName: use tls.existingSecret
image.registry: write the registry into image.repository
image.name: use image.repository
ingress.host: "use ingress.hosts, a list of host names"
ingress.hostname: "use ingress.hosts, a list of host names"
ingress.ingressClassName: use ingress.className
httpRoute.gateway: use httpRoute.parentRefs
persistence.enabled: "leave it out: a node without Redis always has a volume, and one with Redis needs none"
persistence.storageClassName: use persistence.storageClass
autoscaling.targetCPUUtilizationPercentage: use autoscaling.cpuPercent
podDisruptionBudget.create: use podDisruptionBudget.enabled
{{- end -}}

{{/* Keys of the configuration file that the chart sets itself, with the value to use. */}}
{{- define "t2b.ownedKeys" -}}
listen: use ipFamily; the port in the pod is always 3000
admin_listen: use ipFamily; the port in the pod is always 9464
secrets: put the secrets into the Secret that existingSecret names
secrets_file: use existingSecret
admin_token: put the token into the Secret that existingSecret names
admin_token_file: use existingSecret
state_dir: use persistence; the folder in the pod is always /var/lib/t2b
redis_url: use redis.url, or redis.existingSecret if the URL has a password
redis_url_file: use redis.existingSecret
redis_client_cert: use redis.clientCertSecret
redis_client_key: use redis.clientCertSecret
tls_cert: use tls.enabled
tls_key: use tls.enabled
admin_tls_cert: use adminTls.existingSecret
admin_tls_key: use adminTls.existingSecret
admin_client_ca: leave it out, because the kubelet has no client certificate for the probes; use networkPolicy.adminFrom
admin_client_cert: leave it out, because it is for the commands of operators; use networkPolicy.adminFrom
admin_client_key: leave it out, because it is for the commands of operators; use networkPolicy.adminFrom
{{- end -}}

{{/* Not empty if the values have this path. */}}
{{- define "t2b.has" -}}
{{- $found := dict "map" .values -}}
{{- range splitList "." .path -}}
{{- if and (kindIs "map" $found.map) (hasKey $found.map .) -}}
{{- $_ := set $found "map" (get $found.map .) -}}
{{- else -}}
{{- $_ := set $found "map" "" -}}
{{- $_ := set $found "missing" true -}}
{{- end -}}
{{- end -}}
{{- if not $found.missing -}}true{{- end -}}
{{- end -}}

{{/* Whole pods of a number or of a percentage of `replicas`, rounded up. */}}
{{- define "t2b.pods" -}}
{{- $text := toString .amount -}}
{{- if hasSuffix "%" $text -}}
{{- div (add (mul (trimSuffix "%" $text | int64) .replicas) 99) 100 -}}
{{- else -}}
{{- int64 $text -}}
{{- end -}}
{{- end -}}

{{- define "t2b.checks" -}}
{{- $v := .Values -}}
{{- $bad := list -}}
{{- range $path, $fix := include "t2b.renamed" . | fromYaml -}}
{{- if include "t2b.has" (dict "values" $v "path" $path) -}}
{{- $bad = append $bad (printf "%s is no value of this chart: %s" $path $fix) -}}
{{- end -}}
{{- end -}}
{{- range $key, $fix := include "t2b.ownedKeys" . | fromYaml -}}
{{- if hasKey $v.config $key -}}
{{- $bad = append $bad (printf "config.%s is set by the chart: %s" $key $fix) -}}
{{- end -}}
{{- end -}}

{{- $external := $v.externalSecret -}}
{{- if not (or $v.existingSecret $external.enabled) -}}
{{- $bad = append $bad "existingSecret is required: create a Secret with the keys secrets and admin-token (the README has the command) and set existingSecret to its name" -}}
{{- end -}}
{{- if and $external.enabled (not (and $external.storeRef.name $external.secrets.key $external.adminToken.key)) -}}
{{- $bad = append $bad "externalSecret.enabled needs externalSecret.storeRef.name, externalSecret.secrets.key and externalSecret.adminToken.key" -}}
{{- end -}}

{{- $stores := list -}}
{{- $named := dict "redis.url" $v.redis.url "redis.existingSecret" $v.redis.existingSecret "valkey.enabled" $v.valkey.enabled -}}
{{- $_ := set $named "externalSecret.redisUrl" (and $external.enabled $external.redisUrl) -}}
{{- range $name, $set := $named -}}
{{- if $set }}{{ $stores = append $stores $name }}{{ end -}}
{{- end -}}
{{- if gt (len $stores) 1 -}}
{{- $bad = append $bad (printf "%s name different Redis servers: keep one of them" (join " and " $stores)) -}}
{{- end -}}
{{- if regexMatch "://[^/]*@" $v.redis.url -}}
{{- $bad = append $bad "redis.url has a user or a password, which a ConfigMap would show: put the URL into a Secret and name it in redis.existingSecret" -}}
{{- end -}}

{{- $clustered := include "t2b.clustered" . -}}
{{- $autoscaled := include "t2b.autoscaled" . -}}
{{- $replicas := include "t2b.replicas" . | int64 -}}
{{- if and (not $clustered) (gt $replicas 1) -}}
{{- $bad = append $bad (printf "replicaCount is %d and there is no Redis: set redis.url, redis.existingSecret or valkey.enabled, or set replicaCount to 1" $replicas) -}}
{{- end -}}
{{- if and (not $clustered) $autoscaled -}}
{{- $bad = append $bad "autoscaling needs Redis: set redis.url or redis.existingSecret" -}}
{{- end -}}
{{- if and $autoscaled $v.replicaCount -}}
{{- $bad = append $bad "replicaCount and autoscaling contradict each other: remove replicaCount, and set autoscaling.minReplicas" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled $v.keda.enabled -}}
{{- $bad = append $bad "autoscaling.enabled and keda.enabled would both scale the gateways: keep one of them" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (not (or $v.autoscaling.cpuPercent $v.autoscaling.connectionsPerPod)) -}}
{{- $bad = append $bad "autoscaling.enabled needs autoscaling.cpuPercent or autoscaling.connectionsPerPod" -}}
{{- end -}}
{{- if and $v.keda.enabled (not (and $v.keda.prometheusUrl $v.autoscaling.connectionsPerPod)) -}}
{{- $bad = append $bad "keda.enabled needs keda.prometheusUrl and autoscaling.connectionsPerPod" -}}
{{- end -}}
{{- if and $autoscaled $v.autoscaling.cpuPercent (not (dig "requests" "cpu" "" $v.resources)) -}}
{{- $bad = append $bad "autoscaling.cpuPercent is relative to resources.requests.cpu: set that, or set autoscaling.cpuPercent to null" -}}
{{- end -}}
{{- if gt (int64 $v.autoscaling.minReplicas) (int64 $v.autoscaling.maxReplicas) -}}
{{- $bad = append $bad "autoscaling.minReplicas is above autoscaling.maxReplicas: raise maxReplicas" -}}
{{- end -}}

{{- $budget := $v.podDisruptionBudget -}}
{{- $least := ternary (int64 $v.autoscaling.minReplicas) $replicas (eq $autoscaled "true") -}}
{{- if $budget.enabled -}}
{{- if not (kindIs "invalid" $budget.minAvailable) -}}
{{- if ge (include "t2b.pods" (dict "amount" $budget.minAvailable "replicas" $least) | int64) $least -}}
{{- $bad = append $bad (printf "podDisruptionBudget.minAvailable %v of %d gateways blocks every eviction, so no node can be drained: set podDisruptionBudget.maxUnavailable to 1 and minAvailable to null" $budget.minAvailable $least) -}}
{{- end -}}
{{- else if lt (include "t2b.pods" (dict "amount" $budget.maxUnavailable "replicas" $least) | int64) 1 -}}
{{- $bad = append $bad "podDisruptionBudget.maxUnavailable 0 blocks every eviction, so no node can be drained: set it to 1" -}}
{{- end -}}
{{- end -}}

{{- $deadline := include "t2b.drainDeadline" . | int64 -}}
{{- $drain := add (include "t2b.seconds" ($v.config.drain_wait | default "5s")) (include "t2b.seconds" ($v.config.drain_window | default "30s")) -}}
{{- if gt $drain $deadline -}}
{{- $bad = append $bad (printf "config.drain_wait and config.drain_window take %d s, and config.drain_deadline ends the drain after %d s: raise config.drain_deadline" $drain $deadline) -}}
{{- end -}}
{{- if lt (include "t2b.grace" . | int64) (add $deadline 10) -}}
{{- $bad = append $bad (printf "terminationGracePeriodSeconds is shorter than the drain: set it to %d or more, or remove it" (add $deadline 10)) -}}
{{- end -}}

{{- if and $v.tls.enabled (not (or $v.tls.existingSecret $v.tls.certManager.enabled)) -}}
{{- $bad = append $bad "tls.enabled needs tls.existingSecret or tls.certManager.enabled" -}}
{{- end -}}
{{- if and $v.tls.certManager.enabled (not (and $v.tls.enabled $v.tls.certManager.issuerRef.name $v.tls.certManager.dnsNames)) -}}
{{- $bad = append $bad "tls.certManager.enabled needs tls.enabled, tls.certManager.issuerRef.name and tls.certManager.dnsNames" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- $bad = append $bad "ingress.enabled needs ingress.hosts" -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- $bad = append $bad "httpRoute.enabled needs httpRoute.parentRefs" -}}
{{- end -}}
{{- if and $v.metrics.podMonitor.enabled $v.metrics.serviceMonitor.enabled -}}
{{- $bad = append $bad "metrics.podMonitor and metrics.serviceMonitor would count each gateway twice: keep one of them" -}}
{{- end -}}
{{- if and (or $v.metrics.podMonitor.enabled $v.metrics.serviceMonitor.enabled) $v.networkPolicy.enabled (not $v.networkPolicy.adminFrom) -}}
{{- $bad = append $bad "the NetworkPolicy keeps Prometheus out: name its pods or its namespace in networkPolicy.adminFrom" -}}
{{- end -}}
{{- if not (or (dig "limits" "memory" "" $v.resources) $v.config.memory_max) -}}
{{- $bad = append $bad "a gateway without a memory limit takes that of the whole machine: set resources.limits.memory or config.memory_max" -}}
{{- end -}}
{{- range $field := list "commonLabels" "podLabels" -}}
{{- range $label, $_ := index $v $field -}}
{{- if regexMatch "^(app\\.kubernetes\\.io|helm\\.sh)/" $label -}}
{{- $bad = append $bad (printf "%s has the label %s, which the chart sets itself: choose another name" $field $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if has (toString $v.maxSurge) (list "0" "0%") -}}
{{- $bad = append $bad "maxSurge 0 stops every rollout, because no gateway may be missing: set it to 1 or more" -}}
{{- end -}}

{{- if $bad -}}
{{- fail (printf "\n  %s\n" (join "\n  " $bad)) -}}
{{- end -}}
{{- end -}}
