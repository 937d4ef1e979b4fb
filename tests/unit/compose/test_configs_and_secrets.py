import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import FileMount


def test_every_origin_of_a_config(repository: Repository):
    repository.file("conf/app.ini", "x")
    service = repository.service(
        "configs: [committed, {source: inline, target: /etc/x, mode: 0440, uid: '5'}, variable]",
        "configs: {committed: {file: conf/app.ini}, inline: {content: 'a $TAG'}, variable: {environment: TAG}}",
        variables={"TAG": "1"},
    )
    assert service.mounts == (
        FileMount(target="/committed", source="conf/app.ini"),
        FileMount(target="/etc/x", content="a 1", mode=0o440, uid=5),
        FileMount(target="/variable", content="1"),
    )


def test_secrets_lie_under_run_secrets(repository: Repository):
    repository.file("s.txt", "x")
    service = repository.service(
        "secrets: [s, {source: s, target: other}, {source: s, target: /abs}]", "secrets: {s: {file: ./s.txt}}"
    )
    assert [mount.target for mount in service.mounts] == ["/run/secrets/s", "/run/secrets/other", "/abs"]
    assert all(mount.secret and mount.source == "s.txt" for mount in service.mounts)


@pytest.mark.parametrize(
    ("written", "mode"),
    [("0440", 0o440), ("'0440'", 0o440), ("'440'", 0o440), ("0o440", 0o440), ("288", 0o440)],
)
def test_permissions_are_octal_as_compose_has_it(repository: Repository, written: str, mode: int):
    service = repository.service(f"configs: [{{source: c, mode: {written}}}]", "configs: {c: {content: x}}")
    assert service.mounts[0].mode == mode


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("{d: {content: x}}", "there is no config `c`"),
        ("{c: {file: ./no}}", "there is no file no"),
        ("{c: {file: /etc/passwd}}", "a path of the machine"),
        ("{c: {file: ../x}}", "leads out"),
        ("{c: {environment: NOPE}}", "NOPE is not set"),
        ("{c: {}}", "needs one of"),
        ("{c: {content: a, file: b}}", "needs one of"),
        ("{c: {external: true}}", "`external` is refused"),
    ],
)
def test_a_config_that_cannot_be_had_is_said(repository: Repository, declared: str, said: str):
    (problem,) = repository.problems("configs: [c]", f"configs: {declared}")
    assert said in problem
