{{/* What every pod of Conductor has in common: who it is, what it may, what it reads. Used with the root context. */}}
{{- define "conductor.pod" -}}
serviceAccountName: {{ .Values.instance | quote }}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "conductor.container" -}}
image: {{ .Values.image.name }}:{{ .Values.image.tag }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
env:
  - {name: CONDUCTOR_STATE, value: /var/lib/conductor}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: state, mountPath: /var/lib/conductor}
  - {name: scratch, mountPath: /tmp}
{{- end }}

{{/* Settings of pods that work without their secrets, and of those that must not begin without them. */}}
{{- define "conductor.settings" -}}
envFrom:
  - configMapRef: {name: {{ .Values.instance | quote }}}
  {{- with .Values.secretSettings }}
  - secretRef: {name: {{ . | quote }}, optional: true}
  {{- end }}
{{- end }}

{{- define "conductor.settingsNeeded" -}}
envFrom:
  - configMapRef: {name: {{ .Values.instance | quote }}}
  {{- with .Values.secretSettings }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
{{- end }}
