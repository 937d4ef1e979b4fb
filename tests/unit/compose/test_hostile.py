"""A repository that wants out of its checkout, or wants us to hang."""

import os
from pathlib import Path

import pytest
from tests.unit.compose.conftest import Repository

from conductor.compose.load import examine
from conductor.compose.reader import MAX_BYTES, Checkout
from conductor.errors import RefusedError, UsageError

SECRET = "do not read me"


@pytest.fixture
def checkout(tmp_path: Path):
    """A checkout with every kind of way out of it; what is outside has a secret."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("secret.txt", "compose.yaml", ".env", "Dockerfile"):
        (outside / name).write_text(f"A={SECRET}\n")
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "inside.txt").write_text("fine")
    (root / "link").symlink_to("inside.txt")
    (root / "folder" / "up").symlink_to("../inside.txt")
    (root / "out").symlink_to(outside / "secret.txt")
    (root / "out-relative").symlink_to("../outside/secret.txt")
    (root / "folder" / "door").symlink_to(outside)
    (root / "chain").symlink_to("folder/door")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("../outside/not-there")
    os.mkfifo(root / "pipe")
    (root / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    return Checkout(root)


WAYS_OUT = [
    "../outside/secret.txt", "folder/../../outside/secret.txt", "/etc/passwd", "~/x", "out", "out-relative",
    "folder/door/secret.txt", "chain/secret.txt", "folder/door", "dangling", "..", "x\0y",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_leads_out_of_the_checkout(checkout: Checkout, way: str):
    for ask in (checkout.read, checkout.exists, checkout.resolve, checkout.is_folder):
        with pytest.raises(RefusedError) as raised:
            ask(way)
        assert raised.value.remedy
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        (".", "."),
        ("link", "inside.txt"),
        ("folder/up", "inside.txt"),
        ("./folder/../inside.txt", "inside.txt"),
        ("new/x", "new/x"),
    ],
)
def test_what_stays_inside_is_said_as_it_really_is(checkout: Checkout, path: str, real: str):
    assert checkout.resolve(path) == real


@pytest.mark.parametrize("path", ["pipe", "large", "folder", "not-there", "loop", "inside.txt/x", "n" * 5000])
def test_what_is_no_readable_file_is_refused_and_never_waits(checkout: Checkout, path: str):
    with pytest.raises((RefusedError, UsageError)) as raised:
        checkout.read(path)
    assert len(str(raised.value)) < 6000


def test_a_symlink_to_a_file_inside_is_read(checkout: Checkout):
    assert checkout.read("link") == b"fine"


@pytest.mark.parametrize("way", [way for way in WAYS_OUT if "\0" not in way])
@pytest.mark.parametrize(
    "text",
    [
        "services: {{web: {{image: a, volumes: [{{type: bind, source: '{way}', target: /x}}]}}}}",
        "services: {{web: {{image: a, env_file: ['{way}']}}}}",
        "services: {{web: {{image: a, env_file: [{{path: '{way}', required: false}}]}}}}",
        "services: {{web: {{image: a, label_file: ['{way}']}}}}",
        "services: {{web: {{build: {{context: '{way}'}}}}}}",
        "services: {{web: {{build: {{context: ., dockerfile: '{way}'}}}}}}",
        "services: {{web: {{image: a, configs: [c]}}}}\nconfigs: {{c: {{file: '{way}'}}}}",
        "services: {{web: {{image: a, secrets: [c]}}}}\nsecrets: {{c: {{file: '{way}'}}}}",
        "services: {{web: {{image: a, extends: {{service: web, file: '{way}'}}}}}}",
        "include: ['{way}']\nservices: {{}}",
        "include: [{{path: link, env_file: '{way}'}}]\nservices: {{}}",
        "include: [{{path: link, project_directory: '{way}'}}]\nservices: {{}}",
    ],
)
def test_no_attribute_reaches_what_is_outside(checkout: Checkout, way: str, text: str):
    (checkout.root / "compose.yaml").write_text(text.format(way=way))
    loaded = examine(checkout, ["compose.yaml"], name="x")
    assert loaded.problems
    assert any("refused" in problem.message for problem in loaded.problems)
    assert SECRET not in str(loaded)


def test_a_compose_file_that_is_a_way_out_is_refused(checkout: Checkout):
    (checkout.root / "compose.yaml").symlink_to("../outside/compose.yaml")
    for file in ("compose.yaml", "../outside/compose.yaml", "/etc/passwd"):
        loaded = examine(checkout, [file], name="x")
        assert SECRET not in str(loaded)
        assert len(loaded.problems) == 1


def test_a_dotenv_file_that_is_a_way_out_is_refused(checkout: Checkout):
    (checkout.root / ".env").symlink_to("../outside/.env")
    (checkout.root / "compose.yaml").write_text("services: {web: {image: 'x:$A'}}")
    loaded = examine(checkout, ["compose.yaml"], name="x")
    assert SECRET not in str(loaded)
    assert [problem.file for problem in loaded.problems] == [".env"]


def test_extends_that_go_on_and_on_end(repository: Repository):
    chain = "".join(f"  s{n}: {{image: a, extends: s{n + 1}}}\n" for n in range(499))
    loaded = repository.loaded(f"services:\n{chain}  s499: {{image: a}}\n")
    assert "in a row" in loaded.problems[0].message


def test_dependencies_that_go_on_and_on_are_read(repository: Repository):
    chain = "".join(f"  s{n}: {{image: a, depends_on: [s{n + 1}]}}\n" for n in range(499))
    assert not repository.loaded(f"services:\n{chain}  s499: {{image: a}}\n").problems


def test_more_services_than_any_machine_has_room_for_are_refused(repository: Repository):
    loaded = repository.loaded("services:\n" + "".join(f"  s{n}: {{image: a}}\n" for n in range(501)))
    assert [problem.message for problem in loaded.problems] == ["a file may have 500 services"]


def test_what_is_wrong_is_said_as_long_as_anybody_would_read_it(repository: Repository):
    wrong = "".join(f"    key{n}: 1\n" for n in range(5000))
    problems = repository.loaded(f"services:\n  web:\n    image: a\n{wrong}").problems
    assert len(problems) == 201
    assert any("more is wrong" in problem.message for problem in problems)


def test_includes_that_multiply_end(repository: Repository):
    for n in range(12):
        repository.file(
            f"{n}.yaml", f"include: [{n + 1}.yaml, ./{n + 1}.yaml, x/../{n + 1}.yaml]\nservices: {{}}"
        )
    assert "a project may have 100 files" in [
        problem.message for problem in repository.load("0.yaml").problems
    ]


def test_hostile_yaml_is_read_or_refused(tmp_path: Path):
    root = os.environ.get("CONDUCTOR_CONTRACTS")
    if not root:
        pytest.skip("CONDUCTOR_CONTRACTS is unset: the hostile YAML files are not here")
    for file in sorted((Path(root) / "security" / "yaml").iterdir()):
        (tmp_path / "compose.yaml").write_bytes(file.read_bytes())
        loaded = examine(Checkout(tmp_path), ["compose.yaml"], name="x")
        assert loaded.problems or loaded.account, file.name
