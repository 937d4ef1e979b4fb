"""The how-to gives a reason for each right, and for none that is not granted."""

from __future__ import annotations

import re

from tests.unit.deploy.rendered import DEPLOY

from conductor.adapters.kubernetes.diagnosis import (
    DISMISSING,
    EVERYWHERE,
    INSIDE,
    Right,
    binding_rights,
    bringing_rights,
)

PAGE = DEPLOY.parent / "docs" / "howto" / "install-on-kubernetes.md"
ROW = re.compile(
    r"\| (?P<verbs>`\w+`(?:, `\w+`)*) (?P<resource>[a-z/]+)(?:\.(?P<group>[a-z0-9.]+))? \| (?P<why>\S.+) \|"
)


def test_every_right_that_is_granted_has_its_reason_on_the_page():
    section = PAGE.read_text().partition("## Every right")[2].partition("\n## ")[0]
    everywhere, _, inside = section.partition("In the namespaces that it made")
    assert _rows(everywhere) == _granted((*EVERYWHERE, *binding_rights("conductor-namespace")))
    assert _rows(inside) == _granted(INSIDE)


def test_every_right_that_bringing_secrets_takes_has_its_reason_on_its_page():
    page = (DEPLOY.parent / "docs" / "howto" / "sync-secrets.md").read_text()
    runner = [Right(group="", resource=name, verbs=("create",)) for name in ("configmaps", "secrets")]
    granted = (*bringing_rights("conductor-secret-writer"), *DISMISSING, *runner)
    assert _rows(page.partition("## The rights")[2]) == _granted(granted)


def _rows(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return sorted(
        (row["group"] or "", row["resource"], tuple(re.findall(r"\w+", row["verbs"])))
        for row in ROW.finditer(text)
    )


def _granted(rights) -> list[tuple[str, str, tuple[str, ...]]]:  # noqa: ANN001 -- as the engine has them
    return sorted((right.group, right.resource, right.verbs) for right in rights)
