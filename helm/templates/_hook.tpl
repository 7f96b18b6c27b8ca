{{/* A Job that runs the gateway's command on the configuration that is to come, before anything is rolled. does: `check` or
`migrate`, its name; config: the ConfigMap of the hooks. */}}
{{- define "gateway.hook" -}}
{{- $root := .root -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "gateway.fullname" $root }}-{{ .does }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "gateway.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .does }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: {{ .weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {{ .seconds }}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ include "gateway.name" $root }}
        app.kubernetes.io/instance: {{ $root.Release.Name }}
        app.kubernetes.io/component: {{ .does }}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- toYaml $root.Values.podSecurityContext | nindent 8 }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .does }}
          image: {{ include "gateway.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args:
            {{- toYaml .args | nindent 12 }}
          {{- $needed := ternary $root.Values.ledger.migrate.secrets list (eq .does "migrate") }}
          {{- if or $root.Values.secrets $needed }}
          envFrom:
            {{- range $root.Values.secrets }}
            - secretRef:
                name: {{ . }}
                optional: true
            {{- end }}
            {{- range $needed }}
            - secretRef:
                name: {{ . }}
            {{- end }}
          {{- end }}
          {{- with $root.Values.env }}
          env:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
            limits:
              memory: 256Mi
          securityContext:
            {{- toYaml $root.Values.securityContext | nindent 12 }}
          volumeMounts:
            - name: config
              mountPath: /etc/router-gateway
              readOnly: true
            {{- range $root.Values.secretFiles }}
            - name: secret-{{ . }}
              mountPath: /run/secrets/{{ . }}
              readOnly: true
            {{- end }}
      volumes:
        - name: config
          configMap:
            name: {{ default .config $root.Values.existingConfigMap }}
        {{- range $root.Values.secretFiles }}
        - name: secret-{{ . }}
          secret:
            secretName: {{ . }}
            defaultMode: 0440
        {{- end }}
{{- end -}}
