"""OpenTelemetry: a run is a trace. An extra: `pip install conductor[traces]`; nothing of it is imported where no address is set."""
