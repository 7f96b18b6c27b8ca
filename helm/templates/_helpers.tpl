{{- define "gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ include "gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{/* Labels of everything but the selectors; the caller says which component it is. */}}
{{- define "gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "gateway.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "gateway.configMap" -}}
{{- default (printf "%s-config" (include "gateway.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{- define "gateway.configKey" -}}
{{- if .Values.existingConfigMap -}}{{ .Values.existingConfigMapKey }}{{- else -}}routers.yaml{{- end -}}
{{- end -}}

{{- define "gateway.claim" -}}
{{- default (printf "%s-data" (include "gateway.fullname" .)) .Values.data.existingClaim -}}
{{- end -}}

{{/* The text of routers.yaml: as it came, or a mapping written out. */}}
{{- define "gateway.configText" -}}
{{- if kindIs "string" .Values.config -}}{{ .Values.config }}{{- else -}}{{ toYaml .Values.config }}{{- end -}}
{{- end -}}

{{/* Secrets whose entries are environment variables. */}}
{{- define "gateway.envFrom" -}}
{{- range .Values.secrets }}
- secretRef:
    name: {{ . }}
{{- end }}
{{- range .Values.externalSecrets }}
- secretRef:
    name: {{ .name }}
{{- end }}
{{- end -}}

{{/* What must hold before anything is made. The gateway itself says the rest, in the check job. */}}
{{- define "gateway.validate" -}}
{{- $given := .Values.config -}}
{{- if and $given .Values.existingConfigMap -}}
{{- fail "give `config` or `existingConfigMap`, not both" -}}
{{- end -}}
{{- if not (or $given .Values.existingConfigMap) -}}
{{- fail "give the configuration: --set-file config=routers.yaml, `config` in your values, or `existingConfigMap`" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- fail "`autoscaling` and `keda` both want to decide the replicas: enable one" -}}
{{- end -}}
{{- if and .Values.keda.enabled (not .Values.keda.prometheus) -}}
{{- fail "`keda.prometheus` is empty: KEDA reads the requests in flight from a Prometheus" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.cpu) (not .Values.autoscaling.inFlight) -}}
{{- fail "`autoscaling` aims at nothing: give `cpu` or `inFlight`" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "`ingress.hosts` is empty" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "`httpRoute.parentRefs` is empty: name the Gateway it belongs to" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "a ServiceMonitor and a PodMonitor would count everything twice: enable one" -}}
{{- end -}}
{{- if eq .Values.data.volume "claim" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled (gt (int .Values.replicas) 1) -}}
{{- fail "`data.volume: claim` is of one Pod: set `replicas: 1` and no scaler, or keep the ledger in PostgreSQL and `data.volume: emptyDir`" -}}
{{- end -}}
{{- else if .Values.data.existingClaim -}}
{{- fail "`data.existingClaim` is not used: set `data.volume: claim`" -}}
{{- end -}}
{{- if $given -}}
{{- $text := include "gateway.configText" . -}}
{{- $credential := regexFind "(sk-[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{30,}|gsk_[A-Za-z0-9]{16,}|xai-[A-Za-z0-9]{16,})" $text -}}
{{- if $credential -}}
{{- fail (printf "the configuration holds a credential (%s...): put it in a Secret, name that in `secrets`, and write ${env:NAME}" (trunc 6 $credential)) -}}
{{- end -}}
{{- $config := $given -}}
{{- if kindIs "string" $given -}}
{{- $config = fromYaml $text -}}
{{- if hasKey $config "Error" -}}
{{- fail (printf "config is not YAML: %s" $config.Error) -}}
{{- end -}}
{{- end -}}
{{- $schema := .Files.Get "files/routers.schema.json" | fromJson -}}
{{- include "gateway.keys" (dict "node" $config "schema" $schema "defs" (index $schema "$defs") "path" "config") -}}
{{- $mode := dig "auth" "mode" "" $config -}}
{{- if not $mode -}}
{{- fail "config: a Pod is reached from other machines, so `auth.mode` must be said: `keys`, or `open` to let anybody call" -}}
{{- end -}}
{{- include "gateway.kept" (dict "config" $config "volume" .Values.data.volume) -}}
{{- include "gateway.adminReach" (dict "config" $config "admin" .Values.admin) -}}
{{- if and .Values.ledger.migrate.enabled (not (hasKey $config "ledger")) -}}
{{- fail "`ledger.migrate` has nothing to do: the configuration has no `ledger`" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the configuration keeps needs a folder that lasts as long: the container's own cannot be written to. */}}
{{- define "gateway.kept" -}}
{{- $ours := "^([^/]|/var/lib/router-gateway(/|$))" -}}
{{- if hasKey .config "ledger" -}}
{{- $ledger := default dict .config.ledger -}}
{{- $url := default "sqlite:///gateway.db" $ledger.url -}}
{{- if and (hasPrefix "sqlite:" $url) (regexMatch $ours (trimPrefix "sqlite:///" $url)) (ne .volume "claim") -}}
{{- fail (printf "config.ledger: SQLite in a Pod's own folder, which goes with the Pod (`data.volume` is %s): set `data.volume: claim` and `replicas: 1`, or let `ledger.url` name a PostgreSQL" .volume) -}}
{{- end -}}
{{- if and (regexMatch $ours (default "ledger-spool" $ledger.spool)) (eq .volume "none") -}}
{{- fail "config.ledger.spool: there is no folder for it: set `data.volume: emptyDir`" -}}
{{- end -}}
{{- end -}}
{{- if hasKey .config "audit" -}}
{{- $audit := default dict .config.audit -}}
{{- if and (eq (default "file" $audit.to) "file") (regexMatch $ours (default "audit.jsonl" $audit.path)) (eq .volume "none") -}}
{{- fail "config.audit.path: there is no folder for it: set `data.volume`, or `audit.to: stdout`" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The admin API must ask for a key, and its Service must find it. */}}
{{- define "gateway.adminReach" -}}
{{- $there := hasKey .config "admin" -}}
{{- $admin := default dict .config.admin -}}
{{- if and $there (not $admin.keys) -}}
{{- fail "config.admin: a Pod is reached from other machines, so `admin.keys` must name somebody: `gateway keys new NAME --admin read`" -}}
{{- end -}}
{{- if and .admin.enabled (ne (toString $admin.port) (toString .admin.port)) -}}
{{- fail (printf "`admin.port` is %v, and `admin.port` of the configuration is %v: they must be one" .admin.port (default "not there" $admin.port)) -}}
{{- end -}}
{{- if and .admin.enabled $admin.host (regexMatch "^(127\\.|::1$|localhost$)" (toString $admin.host)) -}}
{{- fail (printf "config.admin.host: %s is not reached from outside the Pod: leave it out" $admin.host) -}}
{{- end -}}
{{- end -}}

{{/* Keys that the schema does not know, at any depth: a typo fails before anything is made, also where the
configuration came as text, which values.schema.json cannot look into. */}}
{{- define "gateway.keys" -}}
{{- $path := .path -}}
{{- $node := .node -}}
{{- $defs := .defs -}}
{{- $schema := .schema -}}
{{- if hasKey $schema "$ref" -}}
{{- $schema = index $defs (trimPrefix "#/$defs/" (index $schema "$ref")) -}}
{{- end -}}
{{- $kind := kindOf $node -}}
{{- range $one := (index $schema "anyOf" | default list) -}}
{{- $found := $one -}}
{{- if hasKey $one "$ref" -}}
{{- $found = index $defs (trimPrefix "#/$defs/" (index $one "$ref")) -}}
{{- end -}}
{{- $type := index $found "type" | default "" -}}
{{- if or (and (eq $type "object") (eq $kind "map")) (and (eq $type "array") (eq $kind "slice")) -}}
{{- $schema = $found -}}
{{- end -}}
{{- end -}}
{{- if eq $kind "map" -}}
{{- $known := index $schema "properties" | default dict -}}
{{- $others := index $schema "additionalProperties" -}}
{{- range $key, $value := $node -}}
{{- if hasKey $known $key -}}
{{- include "gateway.keys" (dict "node" $value "schema" (index $known $key) "defs" $defs "path" (printf "%s.%s" $path $key)) -}}
{{- else if kindIs "map" $others -}}
{{- include "gateway.keys" (dict "node" $value "schema" $others "defs" $defs "path" (printf "%s.%s" $path $key)) -}}
{{- else if $known -}}
{{- fail (printf "%s: there is no key `%s`; there are: %s" $path $key (keys $known | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- else if eq $kind "slice" -}}
{{- $items := index $schema "items" -}}
{{- if kindIs "map" $items -}}
{{- range $index, $value := $node -}}
{{- include "gateway.keys" (dict "node" $value "schema" $items "defs" $defs "path" (printf "%s[%d]" $path $index)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
