"""Write the text of a repository's first `.conductor.yaml`.

Law: what is written here is read by `plan.read` without a problem, whatever the repository looks like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from conductor.domain.plan import DEFAULT_COMPOSE
from conductor.plan.look import Found, HasFile, ReadText, Repository

_FALLBACK = Found(
    command="./run-tests", note="Nothing here says how the tests are run: put your command in its place."
)
_FALLBACK_IMAGE = "debian:stable-slim"


def suggest(*, has_file: HasFile, read_text: ReadText, list_files: Callable[[], Sequence[str]]) -> str:
    """Return the text, with comments on what was seen and what is left to do."""
    repository = Repository(has_file, read_text, list_files())
    lines = [
        "# What Conductor does with this repository. Reference: docs/reference/conductor-yaml.md",
        "version: 1",
        *_stack(repository),
        *_tests(repository),
        *_secrets(repository),
        "",
        "# cleanup: keep        # keep (the default) | on-success | always",
        "# keep_for: 24h        # how long a kept stack lives",
    ]
    return "\n".join(lines) + "\n"


def _stack(repository: Repository) -> Iterator[str]:
    file = repository.compose_file()
    yield ""
    if file == DEFAULT_COMPOSE:
        yield f"# The stack is that of {file}; to change that:"
        yield "# stack: {compose: [docker-compose.qa.yml], profiles: [], ready_timeout: 5m}"
        return
    if file is None:
        yield f"# There is no compose file yet: write {DEFAULT_COMPOSE} with the services that the tests need."
    yield "stack:"
    yield f"  compose: {file or DEFAULT_COMPOSE}"


def _tests(repository: Repository) -> Iterator[str]:
    found = repository.tests() or _FALLBACK
    yield ""
    yield "tests:"
    yield from _image(repository, found)
    if found is _FALLBACK:
        yield f"  # {found.note}"
    yield f"  command: {found.command}"
    if found.rerun:
        yield f"  rerun: {found.rerun}      # how failed tests alone are run again"
    yield "  timeout: 30m"
    if found.note and found is not _FALLBACK:
        yield f"  # {found.note}"
    yield "  reports: [reports/**/*.xml]"
    yield "  # artifacts: [coverage/]"


def _image(repository: Repository, found: Found) -> Iterator[str]:
    dockerfile = repository.dockerfile()
    if dockerfile is None:
        yield "  # There is no Dockerfile yet: write Dockerfile.test, an image that holds the tests, and take this line away."
        yield f"  image: {found.image or _FALLBACK_IMAGE}"
        return
    context, name = dockerfile
    yield "  build:"
    yield f'    context: "{context}"'
    yield f"    dockerfile: {name}"


def _secrets(repository: Repository) -> Iterator[str]:
    names = repository.secrets()
    yield ""
    yield "# Names in GitHub Secrets, without the suffix of the environment: KEY is taken from KEY_QA."
    if names:
        yield f"# {repository.compose_file()} asks for these; take the `#` away from those that are secrets."
    yield "# secrets:"
    for name in names:
        yield f"#   - {name}"
    if not names:
        yield "#   - {name: STRIPE_KEY, for: [tests, backend]}"
