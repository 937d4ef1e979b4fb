"""The differences between registries, all of them: what an image is called, who pushes, who pulls, where people look, what is on offer.

| `REGISTRY_TYPE` | name of an image | key of the credentials | page | scans | removes old images | narrow grants |
|---|---|---|---|---|---|---|
| `harbor` | `HOST/PROJECT/acme_shop/backend:KEY` | `HOST` | Harbor's, by digest | yes | yes | with a project per repository |
| `dockerhub` | `ORGANISATION/acme_shop_backend:KEY` | `https://index.docker.io/v1/` | hub.docker.com | no | yes | no |
| `plain` | `HOST/PATH/acme_shop/backend:KEY` | `HOST` | none | no | no: pushes have no date there | no |

A robot of Harbor has rights on whole projects and on nothing smaller, so a grant is narrow only where a repository has a project of its
own (`CONDUCTOR_REGISTRY_PROJECT_PER_REPOSITORY`). In a shared project every repository's images are within its reach.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from conductor.adapters.registries.naming import CACHE, flat, joined
from conductor.errors import ConfigurationError, Problem
from conductor.ports.registry import Credentials
from conductor.settings import PREFIX, RegistryType, Settings

HUB_SERVER = "https://index.docker.io/v1/"
HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HUB_API = "https://registry-1.docker.io"
_PATH = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*")
_WORD = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A reference, taken apart."""

    host: str
    """Empty where it is Docker Hub's."""
    path: str
    """Without tag: `conductor/acme_shop/backend`."""
    tag: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryConfig:
    """One registry. Nothing outside of this file asks for its type to decide anything."""

    type: RegistryType
    host: str
    """As names begin with it; empty for Docker Hub."""
    api: str
    """Where the distribution API is, without `/v2`."""
    management: str
    """Where the product's own API is; empty where there is none."""
    server: str
    """The key of credentials in a Docker configuration file."""
    project: str
    """Project, organisation or path; may be empty."""
    per_repository: bool = False
    """Each repository has a project of its own, whose name begins with `project`."""
    flat: bool = False
    """A name has two parts and no more."""
    scans: bool = False
    page: str = ""
    """Address for people, with `{project}`, `{name}`, `{tag}`, `{digest}`."""
    push: Credentials | None = None
    pull: Credentials | None = None
    insecure: bool = False
    ca_file: Path | None = None

    @property
    def narrow(self) -> bool:
        """Tell whether a grant reaches one repository's images only."""
        return self.per_repository

    def project_of(self, repository: str) -> str:
        """Name the project (Harbor), organisation (Docker Hub) or path of a repository's images."""
        own = joined(repository) if self.per_repository else ""
        return "_".join(part for part in (self.project, own) if part)

    def path(self, repository: str, image: str) -> str:
        """Name an image within the registry, without host and tag."""
        project = self.project_of(repository)
        if self.flat:
            return f"{project}/{joined(repository)}_{flat(image)}"
        return _within(project, self._folder(repository), joined(image))

    def cache_path(self, repository: str) -> str:
        """Name where the layers of a repository's builds are kept."""
        project = self.project_of(repository)
        if self.flat:
            return f"{project}/{joined(repository)}_{CACHE}"
        return _within(project, self._folder(repository), CACHE)

    def is_image_of(self, path: str, repository: str) -> bool:
        """Tell whether a path is that of an image of a repository; the cache is none."""
        before, sign, word = path.rpartition("_" if self.flat else "/")
        return bool(sign) and word != CACHE and f"{before}{sign}{CACHE}" == self.cache_path(repository)

    def reference(self, path: str, tag: str = "") -> str:
        """Write the name that builders and engines are told.

        `harbor.example.org/conductor/image:tag`, `w3evolutionsllc/image:tag`.
        """
        return _within(self.host, path) + (f":{tag}" if tag else "")

    def owns(self, name: Name) -> bool:
        """Tell whether a name is one of this registry."""
        return name.host == self.host

    def link(self, name: Name, digest: str) -> str:
        """Return the page of an image; also of one on Docker Hub that an earlier run has pushed there."""
        page = self.page if self.owns(name) else _HUB_PAGE if not name.host else ""
        project, _, rest = name.path.partition("/")
        words = {"project": project, "name": quote(rest, safe=""), "tag": name.tag, "digest": digest}
        return page.format(**words)

    def _folder(self, repository: str) -> str:
        return "" if self.per_repository else joined(repository)


_HUB_PAGE = "https://hub.docker.com/r/{project}/{name}/tags?name={tag}"
_HARBOR_PAGE = "/harbor/projects/{project}/repositories/{name}/artifacts-tab/artifacts/{digest}"


def read_name(reference: str) -> Name:
    """Take a reference apart, whoever has written it, as Docker does.

    >>> read_name("w3evolutionsllc/image:tag")
    Name(host='', path='w3evolutionsllc/image', tag='tag')
    >>> read_name("localhost:5000/acme_shop/backend:1@sha256:00")
    Name(host='localhost:5000', path='acme_shop/backend', tag='1')
    >>> read_name("redis").path
    'library/redis'
    """
    named = reference.partition("@")[0]
    first, slash, rest = named.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if is_host else ("", named)
    path, _, tag = path.partition(":")
    host = "" if host in HUB_HOSTS else host
    return Name(host=host, path=path if host or "/" in path else f"library/{path}", tag=tag)


def api_of(name: Name) -> str:
    """Return where the registry of any name is: over TLS, unless it is this machine."""
    if not name.host:
        return _HUB_API
    host = urlsplit(f"//{name.host}").hostname or ""
    return f"{'http' if _here(host) else 'https'}://{name.host}"


def configured(settings: Settings) -> RegistryConfig:
    """Return the registry that the settings name, which `registry_type` says that they do.

    ConfigurationError names every variable that is missing or does not fit, all at once.
    """
    if settings.registry_type is None:
        raise ConfigurationError([_problem("registry_type", "it is not set: images stay in the engine")])
    if problems := [*_problems(settings, settings.registry_type)]:
        raise ConfigurationError(
            problems, remedy="docs/howto/use-a-registry.md has an example for each registry."
        )
    return _MAKERS[settings.registry_type](settings)


def _harbor(settings: Settings) -> RegistryConfig:
    url = _url(settings)
    api = f"{url.scheme}://{url.netloc}"
    return RegistryConfig(
        type=RegistryType.HARBOR,
        host=url.netloc,
        api=api,
        management=f"{api}/api/v2.0",
        server=url.netloc,
        project=settings.registry_project or "conductor",
        per_repository=settings.registry_project_per_repository,
        scans=settings.registry_scan,
        page=api + _HARBOR_PAGE,
        push=_push(settings, url.netloc),
        pull=_pull(settings, url.netloc),
        insecure=settings.registry_insecure,
        ca_file=settings.registry_ca_file,
    )


def _dockerhub(settings: Settings) -> RegistryConfig:
    return RegistryConfig(
        type=RegistryType.DOCKERHUB,
        host="",
        api=_HUB_API,
        management="https://hub.docker.com",
        server=HUB_SERVER,
        project=settings.registry_project,
        flat=True,
        page=_HUB_PAGE,
        push=_push(settings, HUB_SERVER),
        pull=_pull(settings, HUB_SERVER),
        ca_file=settings.registry_ca_file,
    )


def _plain(settings: Settings) -> RegistryConfig:
    url = _url(settings)
    return RegistryConfig(
        type=RegistryType.PLAIN,
        host=url.netloc,
        api=f"{url.scheme}://{url.netloc}",
        management="",
        server=url.netloc,
        project=settings.registry_project,
        push=_push(settings, url.netloc),
        pull=_pull(settings, url.netloc),
        insecure=settings.registry_insecure,
        ca_file=settings.registry_ca_file,
    )


_MAKERS: dict[RegistryType, Callable[[Settings], RegistryConfig]] = {
    RegistryType.HARBOR: _harbor,
    RegistryType.DOCKERHUB: _dockerhub,
    RegistryType.PLAIN: _plain,
}
_NEEDED: dict[RegistryType, tuple[str, ...]] = {
    RegistryType.HARBOR: ("registry_url", "registry_user", "registry_password"),
    RegistryType.DOCKERHUB: ("registry_project", "registry_user", "registry_password"),
    RegistryType.PLAIN: ("registry_url",),
}
_PAIRS = (("registry_user", "registry_password"), ("registry_pull_user", "registry_pull_password"))


def _problems(settings: Settings, kind: RegistryType) -> Iterator[Problem]:
    for name in _NEEDED[kind]:
        if not getattr(settings, name):
            yield _problem(name, f"it is not set, and a registry of type {kind} needs it")
    for pair in _PAIRS:
        given = [name for name in pair if getattr(settings, name)]
        if len(given) == 1 and not set(pair) <= set(_NEEDED[kind]):
            missing = next(name for name in pair if name not in given)
            yield _problem(missing, f"it is not set, and {_variable(given[0])} is")
    yield from _problems_of_place(settings, kind)
    if settings.registry_ca_file is not None and not settings.registry_ca_file.is_file():
        yield _problem("registry_ca_file", f"there is no file {settings.registry_ca_file}")


def _problems_of_place(settings: Settings, kind: RegistryType) -> Iterator[Problem]:
    if settings.registry_url and kind is not RegistryType.DOCKERHUB:
        yield from _problems_of_url(settings)
    shape = _PATH if kind is RegistryType.PLAIN else _WORD
    if settings.registry_project and not shape.fullmatch(settings.registry_project):
        yield _problem(
            "registry_project", "write it in lower-case letters and digits, with - . or _ between them"
        )
    if settings.registry_project_per_repository and kind is not RegistryType.HARBOR:
        yield _problem("registry_project_per_repository", f"a registry of type {kind} has no projects")


def _problems_of_url(settings: Settings) -> Iterator[Problem]:
    url = _url(settings)
    try:
        sound = bool(url.hostname) and (url.port is None or url.port > 0) and url.path in ("", "/")
    except ValueError:
        sound = False
    if not sound or url.scheme not in ("http", "https") or url.query or url.fragment or "@" in url.netloc:
        yield _problem(
            "registry_url", "write it as https://registry.example.org, with a port where it has one"
        )
    elif url.scheme == "http" and not settings.registry_insecure and not _here(url.hostname or ""):
        message = "passwords would travel readable for everybody: use https, or set CONDUCTOR_REGISTRY_INSECURE=true"
        yield _problem("registry_url", message)


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(settings: Settings) -> SplitResult:
    text = settings.registry_url.strip()
    return urlsplit((text if "://" in text else f"https://{text}").lower())


def _push(settings: Settings, server: str) -> Credentials | None:
    password = settings.registry_password
    if not settings.registry_user or password is None:
        return None
    return Credentials(server=server, username=settings.registry_user, password=password.get_secret_value())


def _pull(settings: Settings, server: str) -> Credentials | None:
    password = settings.registry_pull_password
    if not settings.registry_pull_user or password is None:
        return None
    return Credentials(
        server=server, username=settings.registry_pull_user, password=password.get_secret_value()
    )


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _problem(name: str, message: str) -> Problem:
    return Problem(file=f"environment variable {_variable(name)}", message=message)


def _within(*parts: str) -> str:
    return "/".join(part for part in parts if part)
