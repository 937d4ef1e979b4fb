"""conductor convert, and what conductor check says of engines."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml
from inline_snapshot import snapshot
from rich.console import Console

from conductor.cli.accounts import account_tables
from conductor.cli.main import answer
from conductor.cli.manifests import MARK, as_yaml
from conductor.domain.account import EngineRefusal, Entry, Treatment

PLAIN = "services:\n  web:\n    image: app\n    ports: ['80:80']\nvolumes: {unused: }\n"
MOSTLY = "services:\n  web:\n    image: app\n    privileged: true\n    domainname: example.com\n"
PLAN = "version: 1\ntests: {image: app, command: run}\nstack: {compose: compose.yaml}\nsecrets: [API_KEY]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    (made / "compose.yaml").write_text(PLAIN)
    return made


def convert(folder: Path, *arguments: str) -> int:
    return answer(["convert", str(folder), *arguments])


def kinds(text: str) -> list[tuple[str, str]]:
    return [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(text)]


def test_manifests_are_printed_as_documents_in_the_namespace_of_the_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert convert(folder) == 0
    said = capsys.readouterr()
    found = kinds(said.out)
    assert found[0] == ("Namespace", "shop")
    assert {("Service", "web"), ("Job", "web")} <= set(found)
    assert said.err == ""


def test_the_same_files_give_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]):
    texts = []
    for _ in range(2):
        convert(folder)
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("arguments", "name", "namespace"),
    [((), "", "shop"), ((), "name: My_App\n", "my-app"), (("--namespace", "qa-1"), "name: x\n", "qa-1")],
)
def test_the_namespace_is_what_is_said_else_the_project_else_the_folder(
    folder: Path, arguments: tuple[str, ...], name: str, namespace: str, capsys: pytest.CaptureFixture[str]
):
    (folder / "compose.yaml").write_text(name + PLAIN)
    assert convert(folder, *arguments) == 0
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    assert objects[0]["metadata"]["name"] == namespace
    assert {one["metadata"]["namespace"] for one in objects[1:]} == {namespace}


def test_a_name_that_is_no_namespace_is_a_mistake(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert convert(folder, "--namespace", "Not_One") == 2
    assert "no name of a namespace" in capsys.readouterr().err


def test_files_lie_over_each_other_and_profiles_variables_and_env_files_count(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "compose.yaml").write_text(
        "services: {web: {image: 'app:$TAG-$FLAVOUR'}, db: {image: db, profiles: [db]}}"
    )
    (folder / "more.yaml").write_text("services: {web: {command: [run]}}")
    (folder / ".env").write_text("TAG=from-dotenv\nFLAVOUR=from-dotenv\n")
    (folder / "qa.env").write_text("TAG=from-file\nFLAVOUR=small\n")
    given = [
        "-f",
        "compose.yaml",
        "-f",
        "more.yaml",
        "--profile",
        "db",
        "--set",
        "TAG=1",
        "--env-file",
        "qa.env",
    ]
    assert convert(folder, *given, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    text = json.dumps(made["objects"])
    assert '"app:1-small"' in text
    assert '"args": ["run"]' in text
    assert {("Job", "web"), ("Job", "db")} <= {(o["kind"], o["metadata"]["name"]) for o in made["objects"]}
    assert made["files"] == ["compose.yaml", "more.yaml"]


def test_an_override_beside_the_usual_file_counts_as_in_compose(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "compose.override.yml").write_text("services: {web: {image: other}}")
    assert convert(folder, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["files"] == ["compose.yaml", "compose.override.yml"]
    assert '"image": "other"' in json.dumps(made["objects"])


def test_a_folder_without_compose_files_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert convert(tmp_path) == 2
    said = capsys.readouterr().err
    assert "there is no compose file" in said
    assert "-f" in said


def test_what_is_refused_is_left_out_with_a_loud_warning(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text(MOSTLY)
    assert convert(folder) == 0
    said = capsys.readouterr()
    assert ("Job", "web") in kinds(said.out)
    assert "compose.yaml:4:5: `privileged` is refused" in said.err
    assert "compose.yaml:5:5: `domainname` is refused on kubernetes" in said.err
    assert "WARNING: 2 things left out" in said.err


def test_strict_converts_nothing_where_anything_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text(MOSTLY)
    assert convert(folder, "--strict") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "`privileged` is refused" in said.err


def test_strict_is_content_with_what_is_converted(folder: Path):
    assert convert(folder, "--strict") == 0


def test_mistakes_end_it_with_or_without_strict(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text("services: {web: {imag: app}}")
    assert convert(folder) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Did you mean `image`?" in said.err


def test_the_docker_engine_takes_what_kubernetes_refuses(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text("services: {web: {image: app, domainname: example.com}}")
    assert convert(folder, "--engine", "docker", "--strict") == 0
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [next(iter(one)) for one in objects] == ["network", "container"]
    assert objects[1]["config"]["Domainname"] == "example.com"


def test_the_account_has_a_line_for_each_key(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text(MOSTLY)
    assert convert(folder, "--account") == 0
    *lines, total = capsys.readouterr().out.splitlines()
    assert lines[0] == "compose.yaml:1:1: services: converted"
    assert lines[3].startswith(
        "compose.yaml:4:5: services.web.privileged: refused: it would reach the machine"
    )
    assert lines[4].startswith(
        "compose.yaml:5:5: services.web.domainname: converted; refused on kubernetes: "
    )
    assert total == "5 keys: 1 refused on docker, 2 refused on kubernetes"


def test_the_account_as_json_tells_of_every_engine(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text(MOSTLY)
    assert convert(folder, "--account", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    told = {key["path"]: key["engines"] for key in made["keys"]}
    assert told["services.web.image"] == {"docker": "converted", "kubernetes": "converted"}
    assert told["services.web.privileged"] == {"docker": "refused", "kubernetes": "refused"}
    assert told["services.web.domainname"] == {"docker": "converted", "kubernetes": "refused"}


def test_the_account_is_printed_also_where_strict_says_no(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text(MOSTLY)
    assert convert(folder, "--account", "--strict") == 2
    assert "services.web.privileged: refused" in capsys.readouterr().out


def test_names_in_a_file_do_not_steer_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "compose.yaml").write_text('services: {web: {image: app, labels: {"a\\e[31mb": c}}}')
    assert convert(folder, "--account") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_one_file_for_each_object_in_the_order_of_their_names(folder: Path, tmp_path: Path):
    target = tmp_path / "out"
    assert convert(folder, "-o", str(target)) == 0
    names = sorted(path.name for path in target.iterdir())
    assert names[0] == "01-namespace-shop.yaml"
    assert any(name.endswith("-job-web.yaml") for name in names)
    assert [yaml.safe_load((target / name).read_text())["kind"].lower() for name in names] == [
        name.split("-")[1] for name in names
    ]


@pytest.mark.parametrize(
    ("arguments", "target"), [((), "all.yaml"), (("--one-file",), "all.manifests"), ((), "all.yml")]
)
def test_one_file_with_everything(folder: Path, tmp_path: Path, arguments: tuple[str, ...], target: str):
    assert convert(folder, "-o", str(tmp_path / target), *arguments) == 0
    text = (tmp_path / target).read_text()
    assert text.startswith(f"{MARK}\n---\n")
    assert kinds(text)[0] == ("Namespace", "shop")


def test_a_folder_is_written_again_and_what_is_gone_is_taken_away(folder: Path, tmp_path: Path):
    target = tmp_path / "out"
    convert(folder, "-o", str(target))
    (folder / "compose.yaml").write_text("services: {other: {image: app}}")
    assert convert(folder, "-o", str(target)) == 0
    assert not any("web" in path.name for path in target.iterdir())


@pytest.mark.parametrize("target", ["out", "out/mine.yaml"])
def test_what_somebody_else_wrote_is_not_written_over(
    folder: Path, tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "mine.yaml"
    mine.write_text("mine\n")
    assert convert(folder, "-o", str(tmp_path / target)) == 2
    assert "not written here" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.yaml"]
    assert mine.read_text() == "mine\n"


def test_force_writes_beside_what_somebody_else_wrote(folder: Path, tmp_path: Path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine.yaml").write_text("mine\n")
    assert convert(folder, "-o", str(target), "--force") == 0
    assert (target / "mine.yaml").read_text() == "mine\n"
    assert len(list(target.iterdir())) > 1


def test_nothing_is_written_where_something_is_wrong(folder: Path, tmp_path: Path):
    (folder / "compose.yaml").write_text("services: {web: {image: [app]}}")
    assert convert(folder, "-o", str(tmp_path / "out")) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [("--split",), ("--account", "-o", "x.yaml")])
def test_options_that_do_not_go_together_are_said(folder: Path, arguments: tuple[str, ...]):
    assert convert(folder, *arguments) == 2


def test_with_a_plan_the_suites_and_the_secrets_are_there_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / ".conductor.yaml").write_text(PLAN)
    (folder / "compose.yaml").write_text("services: {web: {image: app, environment: {KEY: $API_KEY}}}")
    assert convert(folder) == 0
    text = capsys.readouterr().out
    assert ("Job", "tests") in kinds(text)
    assert "secretKeyRef" in text


def test_files_that_are_named_are_converted_without_the_suites(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / ".conductor.yaml").write_text(PLAN)
    assert convert(folder, "-f", "compose.yaml") == 0
    assert ("Job", "tests") not in kinds(capsys.readouterr().out)


def test_a_file_may_be_named_from_where_one_stands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(folder.parent)
    assert convert(Path("shop"), "-f", "shop/compose.yaml") == 0
    assert kinds(capsys.readouterr().out)


def test_check_says_what_the_engine_in_use_refuses_as_a_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("CONDUCTOR_ENGINE", raising=False)
    (folder / ".conductor.yaml").write_text(PLAN)
    (folder / "compose.yaml").write_text("services: {web: {image: app, volumes: ['./a:/b:c']}}")
    assert answer(["check", str(folder)]) == 2
    assert "compose.yaml:1" in capsys.readouterr().err


def test_check_hints_at_what_another_engine_would_refuse(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("CONDUCTOR_ENGINE", raising=False)
    (folder / ".conductor.yaml").write_text(PLAN)
    (folder / "compose.yaml").write_text("x-a: 1\nservices:\n  web:\n    image: app\n    domainname: b.c\n")
    assert answer(["check", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "On kubernetes" in said
    assert "compose.yaml:5: `domainname` is refused on kubernetes" in said
    assert "extension" not in said


def drawn(account: list[Entry], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(account_tables(account, ["docker", "kubernetes"]))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def key(path: str, line: int, **more: object) -> Entry:
    return Entry(file="compose.yaml", line=line, path=path, treatment=Treatment.CONVERTED, **more)


def test_the_table_says_of_a_key_what_becomes_of_it_and_does_not_say_it_again_below():
    no_limits = EngineRefusal(
        engine="kubernetes", why="there are no such limits", instead="Set them yourself."
    )
    account = [
        key("services.web.ulimits", 4, refused_by=(no_limits,)),
        key("services.web.ulimits.nofile", 5, refused_by=(no_limits,)),
        key("version", 6, note="Compose ignores it"),
    ]
    assert drawn(account, 80) == snapshot("""\
compose.yaml
line  key                                                  docker     kubernetes
   4  services.web.ulimits                                 converted  refused
        kubernetes: there are no such limits
        Set them yourself.
   5  services.web.ulimits.nofile                          converted  refused
   6  version                                              converted  converted
        Compose ignores it

3 keys: none refused on docker, 2 refused on kubernetes\
""")


@pytest.mark.parametrize("width", [40, 80, 140, 400])
def test_the_table_is_never_wider_than_the_terminal(width: int):
    account = [key(f"services.web.labels.{'x' * 200}", 1, note="said " * 50)]
    assert max(map(len, drawn(account, width).splitlines())) <= min(width, 110)


@pytest.mark.parametrize(
    "text",
    [
        "y",
        "Y",
        "n",
        "on",
        "OFF",
        "yes",
        "True",
        "null",
        "~",
        "",
        "1e3",
        "0o17",
        "0x1F",
        "1_000",
        "12:30",
        ".5",
        "-1",
        "+1",
        "2026-11-23",
        ".inf",
        "<<",
        "=",
    ],
)
def test_text_that_some_yaml_takes_for_something_else_is_in_quotes(text: str):
    written = as_yaml({"value": text})
    assert written == f"value: '{text}'\n"


@pytest.mark.parametrize(
    "text", ["a\nb\n", "a\n\n b\n", " a\nb", "a \nb", "\ta\nb", "a: b # c", "é\n€", "x\r\ny", "\x07"]
)
def test_text_of_several_lines_comes_back_as_it_was(text: str):
    assert yaml.safe_load(as_yaml({"value": text})) == {"value": text}
