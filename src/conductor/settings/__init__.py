"""Settings of a process: environment variables that begin with `CONDUCTOR_`, each with a default that works on one machine.

What belongs here: one file for each part of the product that is set, the kinds of values, and how all are read and shown. What does
not: what any of them brings about.

Law: every bad value is named at once; a value that is secret is never shown.
"""

from conductor.settings.kinds import EngineKind, LogFormat, LogLevel, RegistryType
from conductor.settings.own import default_state
from conductor.settings.reference import reference
from conductor.settings.secrets import SecretsSource
from conductor.settings.whole import PREFIX, Settings, instance_name, read_settings

__all__ = [
    "PREFIX",
    "EngineKind",
    "LogFormat",
    "LogLevel",
    "RegistryType",
    "SecretsSource",
    "Settings",
    "default_state",
    "instance_name",
    "read_settings",
    "reference",
]
