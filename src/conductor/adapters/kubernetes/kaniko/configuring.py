"""The settings of an installation, as builds on its cluster take them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from conductor.adapters.kubernetes.kaniko.site import GitAccess, KanikoSite, read_pulls, read_reach
from conductor.errors import UsageError
from conductor.settings import Settings


def configured(settings: Settings) -> KanikoSite:
    """Return how images are built as the settings say. UsageError names a file that cannot be read."""
    url = urlsplit(settings.registry_url)
    is_plain = settings.registry_insecure and url.scheme == "http"
    own = (url.netloc,) if url.netloc else ()
    files = [file for file in (settings.registry_ca_file, settings.build_ca_file) if file]
    return KanikoSite(
        namespace=settings.build_namespace,
        image=settings.kaniko_image,
        limits=settings.build_limits,
        requests=settings.build_requests,
        time_limit=timedelta(minutes=settings.build_time_limit),
        at_once=settings.builds_at_once,
        mirrors=settings.build_mirrors,
        registry_map=settings.build_registry_map,
        insecure=(*settings.build_insecure, *(own if is_plain else ())),
        unverified=own if settings.registry_insecure and not is_plain else (),
        ca="\n".join(_text(file) for file in files),
        git=_git_access(settings),
        pulls=read_pulls(_text(settings.build_pulls_file)) if settings.build_pulls_file else {},
        reaches=tuple(read_reach(word) for word in settings.build_egress),
    )


def _git_access(settings: Settings) -> GitAccess | None:
    """Let the cluster fetch what needs no token, or has one of its own: Conductor's never goes where a Dockerfile can read it."""
    if settings.build_git_token:
        return GitAccess(host=settings.git_host, token=settings.build_git_token.get_secret_value())
    return None if settings.git_token or settings.github_token else GitAccess()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", remedy="Correct the setting that names it."
        ) from error
