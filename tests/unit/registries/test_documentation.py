"""What is said of registries names settings that there are, and what doctor really prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conductor.adapters.registries.naming import joined
from conductor.settings import Settings

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "howto" / "use-a-registry.md"
CODE = ROOT / "src" / "conductor" / "adapters" / "registries"
VARIABLE = re.compile(r"CONDUCTOR_(?:REGISTRY_|SCAN_|SIGN_|SBOM)[A-Z_]*")


@pytest.mark.parametrize(
    "file",
    [PAGE, ROOT / "deploy" / "registry" / "README.md", *sorted(CODE.glob("*.py"))],
    ids=lambda file: file.name,
)
def test_every_setting_that_is_named_is_one(file: Path):
    named = {name.removeprefix("CONDUCTOR_").lower() for name in VARIABLE.findall(file.read_text())}
    assert named <= {*Settings.model_fields}


def test_every_setting_of_registries_is_on_the_page():
    page = PAGE.read_text()
    ours = {
        name for name in Settings.model_fields if name.startswith(("registry_", "scan_", "sbom", "sign_"))
    }
    assert {name for name in ours if f"CONDUCTOR_{name.upper()}" not in page} == set()


def test_the_lines_of_doctor_on_the_page_are_its_own():
    source = "".join(file.read_text() for file in CODE.glob("*.py"))
    subjects = re.findall(r"^    ok  (registry(?:: \w+)?)  ", PAGE.read_text(), re.MULTILINE)
    assert len(subjects) == 6
    assert all(f'"{subject}"' in source for subject in subjects)


def test_the_name_on_the_page_is_made_so():
    assert joined("Acme/Shop").startswith("acme-shop-")
    assert "`Acme/Shop` is `acme-shop-`" in PAGE.read_text()
