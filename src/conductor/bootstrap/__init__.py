"""Settings in, a world out: the only room that names adapters.

What belongs here: which adapter is made of which settings, and what is opened and closed around it. What does not: what any of them does.
"""

from conductor.bootstrap.engines import engines_to_check, looking, registry, renderers
from conductor.bootstrap.forges import registration
from conductor.bootstrap.gate import serve_gate
from conductor.bootstrap.migrating import migrate
from conductor.bootstrap.observing import tell_outside
from conductor.bootstrap.serving import serving
from conductor.bootstrap.sweeping import leave_sweeper, the_only_sweeper
from conductor.bootstrap.worlds import App, load_settings, reading, running

__all__ = [
    "App",
    "engines_to_check",
    "leave_sweeper",
    "load_settings",
    "looking",
    "migrate",
    "reading",
    "registration",
    "registry",
    "renderers",
    "running",
    "serve_gate",
    "serving",
    "tell_outside",
    "the_only_sweeper",
]
