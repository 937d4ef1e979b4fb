"""What one key of `.conductor.yaml` has to do with another: rules that no single value can break.

They look at the file as it is written, so that they speak together with what is wrong in single values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from posixpath import join, normpath
from typing import Any

from conductor.documents.document import Document, Path
from conductor.documents.text import quoted
from conductor.domain.names import job_name
from conductor.domain.plan import TESTS
from conductor.errors import Problem
from conductor.plan import words
from conductor.plan.messages import dotted

HasFile = Callable[[str], bool]
TEST_DOCKERFILE = "Dockerfile.test"
DOCKERFILE = "Dockerfile"
_KINDS = ("build", "image", "service")
_SUFFIXES = ("DEV", "QA", "PROD")


def broken_rules(document: Document, has_file: HasFile) -> Iterator[Problem]:
    """Yield a problem for each rule that the file breaks; what has the wrong type is left to the model."""
    data = document.data
    suites = list(suites_of(data))
    if not suites and not data.get("tests") and not data.get("workspace"):
        yield document.problem(
            ("tests",), "`tests` is missing", remedy="Say how they are run: `tests: {command: ...}`."
        )
    for path, suite in suites:
        yield from _one_image(document, path, suite)
        yield from _dockerfile(document, path, suite, has_file)
        yield from _rerun(document, path, suite)
    yield from _suite_names(document, suites)
    yield from _twice(document, ("secrets",), [_name_of(s) for s in _list(data.get("secrets"))], "secret")
    yield from _twice(document, ("environments",), _list(data.get("environments")), "environment")
    yield from _tags(document)


def warnings_of(document: Document) -> Iterator[Problem]:
    """Yield what is allowed and probably not meant."""
    for index, secret in enumerate(_list(document.data.get("secrets"))):
        name = _name_of(secret)
        if not isinstance(name, str):
            continue
        stem, _, suffix = name.rpartition("_")
        if stem and suffix.upper() in _suffixes(document.data):
            message = (
                f"{quoted(name)} ends like an environment: for qa, {quoted(f'{name}_QA')} would be looked for"
            )
            yield document.problem(
                ("secrets", index), message, remedy=f"Name it {quoted(stem)}, without the suffix."
            )
        if name.upper().startswith("GITHUB_"):
            message = f"{quoted(name)}: GitHub takes no secrets that start with `GITHUB_`"
            yield document.problem(("secrets", index), message, remedy="Give it another name.")


def suites_of(data: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each suite that is a mapping, with its path: one suite, or a list of them."""
    tests = data.get("tests")
    if isinstance(tests, dict):
        yield ("tests",), tests
    for index, suite in enumerate(_list(tests)):
        if isinstance(suite, dict):
            yield ("tests", index), suite


def default_dockerfile(has_file: HasFile) -> str:
    """Name the Dockerfile of a suite that says nothing of its image."""
    return TEST_DOCKERFILE if has_file(TEST_DOCKERFILE) else DOCKERFILE


def _one_image(document: Document, path: Path, suite: dict[str, Any]) -> Iterator[Problem]:
    given = [kind for kind in _KINDS if suite.get(kind) is not None]
    if len(given) > 1:
        message = f"{quoted(dotted(path))} has {' and '.join(f'`{kind}`' for kind in given)}"
        yield document.problem((*path, given[1]), message, remedy="Keep one of them.", key=True)


def _dockerfile(
    document: Document, path: Path, suite: dict[str, Any], has_file: HasFile
) -> Iterator[Problem]:
    if any(suite.get(kind) is not None for kind in ("image", "service")):
        return
    build = suite.get("build")
    if build is None and not has_file(default_dockerfile(has_file)):
        message = f"there is no image for {quoted(dotted(path))}: neither {TEST_DOCKERFILE} nor {DOCKERFILE} is there"
        yield document.problem(
            path, message, remedy="Write one of them, or name `build`, `image` or `service`.", key=True
        )
    if not isinstance(build, dict):
        return
    context, dockerfile = build.get("context") or ".", build.get("dockerfile") or DOCKERFILE
    if not (_is_path(context) and _is_path(dockerfile)):
        return
    file = normpath(join(context, dockerfile))
    if not has_file(file):
        message = f"there is no file {quoted(file)}"
        remedy = "`dockerfile` is relative to `context`, and `context` to the repository's root."
        yield document.problem((*path, "build", "dockerfile"), message, remedy=remedy)


def _is_path(value: Any) -> bool:
    try:
        words.path(value)
    except ValueError:
        return False
    return True


def _rerun(document: Document, path: Path, suite: dict[str, Any]) -> Iterator[Problem]:
    rerun = suite.get("rerun")
    parts = rerun if isinstance(rerun, list) else [rerun]
    text = " ".join(part for part in parts if isinstance(part, str))
    if text and "{files}" not in text and "{names}" not in text:
        remedy = "Put `{files}` or `{names}` where the failed tests belong."
        yield document.problem((*path, "rerun"), "`rerun` would run all tests again", remedy=remedy)


def _suite_names(document: Document, suites: list[tuple[Path, dict[str, Any]]]) -> Iterator[Problem]:
    seen: dict[str, Path] = {}
    for path, suite in suites:
        name = suite.get("name", TESTS)
        if not isinstance(name, str):
            continue
        first = seen.setdefault(job_name(name), path)
        if first != path and "name" not in suite:
            yield document.problem(path, "several suites need names", remedy="Give each a `name`.")
        elif first != path:
            line = document.mark((*first, "name")).line
            message = f"the name {quoted(name)} is too near to that of the suite on line {line}"
            yield document.problem(
                (*path, "name"), message, remedy="Names must differ in letters and digits."
            )


def _twice(document: Document, path: Path, names: list[Any], what: str) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if isinstance(name, str) and (first := seen.setdefault(name.upper(), index)) != index:
            line = document.mark((*path, first)).line
            message = f"the {what} {quoted(name)} is here twice: it stands on line {line} already"
            yield document.problem((*path, index), message, remedy="Remove one of them.")


def _tags(document: Document) -> Iterator[Problem]:
    triggers = document.data.get("triggers")
    tags = (
        [tag for tag in _list(triggers.get("tags")) if isinstance(tag, str)]
        if isinstance(triggers, dict)
        else []
    )
    for index, tag in enumerate(tags):
        if any(tag.startswith(f"{other}/") for other in tags):
            message = f"git cannot hold the tag {quoted(tag.split('/', 1)[0])} and tags below it together"
            yield document.problem(("triggers", "tags", index), message, remedy="Use `-` instead of `/`.")


def _suffixes(data: Any) -> set[str]:
    asked = {name.upper() for name in _list(data.get("environments")) if isinstance(name, str)}
    return asked | set(_SUFFIXES)


def _name_of(secret: Any) -> Any:
    return secret.get("name") if isinstance(secret, dict) else secret


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
