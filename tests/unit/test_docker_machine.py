"""What Conductor does on the machine: Podman's service, its configuration, marks, mounts, archives' globs."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conductor.adapters.docker.archives import roots, wanted
from conductor.adapters.docker.connection.machine import Machine, configuration
from conductor.adapters.docker.connection.service import (
    LONGEST_SOCKET_PATH,
    PodmanService,
    answers,
    socket_path,
)
from conductor.adapters.docker.containers.logins import find_login
from conductor.adapters.docker.containers.mounts import confined, holder_of_port, keep_files, prepare_binds
from conductor.adapters.docker.marks import Failure, Marks, Note
from conductor.adapters.docker.watching.kernel import out_of_memory
from conductor.domain.lease import Lease
from conductor.domain.stack import BindMount, FileMount, Service
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RefusedError, UnreachableError

ORDINARY = Machine(systemd=True, hybrid_cgroups=False, runc=True, hard_limits={})


def test_podman_is_configured_only_where_its_defaults_do_not_work():
    assert configuration(ORDINARY) == ""
    hard = replace(
        ORDINARY, systemd=False, hybrid_cgroups=True, hard_limits={"nofile": 20000, "nproc": 32768}
    )
    assert configuration(hard) == (
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nexit_command_delay = 10\n'
    )
    assert "runtime" not in configuration(replace(hard, runc=False))


async def test_a_socket_that_nobody_serves_is_stale(tmp_path: Path):
    stale = tmp_path / "podman.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    assert stale.exists()
    assert await answers(stale) is False
    assert await answers(tmp_path / "nothing") is False


def test_a_socket_s_path_is_never_too_long(tmp_path: Path):
    assert socket_path(tmp_path / "short") == tmp_path / "short" / "podman.sock"
    deep = tmp_path / ("x" * LONGEST_SOCKET_PATH)
    assert len(str(socket_path(deep))) <= LONGEST_SOCKET_PATH
    assert socket_path(deep) != socket_path(tmp_path / ("y" * LONGEST_SOCKET_PATH))


async def test_without_any_engine_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError) as raised:
        await PodmanService(tmp_path).ensure()
    assert "Install Docker or Podman" in raised.value.remedy


def test_marks_are_whole_or_not_there_and_forgotten_together(tmp_path: Path):
    marks = Marks(tmp_path)
    lease = Lease(namespace="n", run="r", repository="a/b", created_at=datetime.now(UTC), expires_at=None)
    note = Note(workload="web", failure=Failure(reason=Reason.ERROR, fault=Fault.PLATFORM, message="why"))
    marks.write_lease(lease)
    marks.write_note("n", note)
    assert (marks.find_lease("n"), marks.notes("n"), marks.leased()) == (lease, {"web": note}, ("n",))
    assert (marks.forget("n"), marks.forget("n")) == (True, False)
    assert (marks.find_lease("n"), marks.notes("n"), marks.leased()) == (None, {}, ())


def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path):
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases/n.json").write_text("{half")
    assert Marks(tmp_path).find_lease("n") is None
    assert Marks(tmp_path).leased() == ("n",)


@pytest.mark.parametrize("source", ["../x", "/etc/passwd", "out", "in/../../x", "loop"])
def test_a_source_that_leads_out_of_the_checkout_is_refused(tmp_path: Path, source: str):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "out").symlink_to(tmp_path)
    (checkout / "loop").symlink_to(checkout / "loop")
    with pytest.raises(RefusedError):
        confined(str(checkout), source)


def test_a_symlink_that_stays_in_the_checkout_is_followed(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert confined(str(tmp_path), "link") == tmp_path / "real"


def test_missing_sources_are_made_or_named(tmp_path: Path):
    mounts = (
        BindMount(source="made", target="/a"),
        BindMount(source="missing", target="/b", create=False),
        FileMount(source="file", target="/c"),
    )
    assert prepare_binds(str(tmp_path), Service(name="web", mounts=mounts)) == ["missing", "file"]
    assert (tmp_path / "made").is_dir()


def test_kept_files_have_their_mode_and_nobody_else_sees_the_folder(tmp_path: Path):
    service = Service(
        name="web", read_only=True, mounts=(FileMount(target="/x", content="secret", mode=0o440),)
    )
    keep_files(tmp_path / "files", service, str)
    (file,) = (tmp_path / "files" / "web").iterdir()
    assert (file.read_text(), file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (
        "secret",
        0o440,
        0o700,
    )


def test_a_port_that_is_taken_is_seen_before_anything_is_made():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "in use" in holder_of_port(taken.getsockname()[1])
    assert holder_of_port(taken_port := _free_port()) is None, taken_port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_kernel_s_log_names_the_container_or_cannot_be_asked(tmp_path: Path):
    log = tmp_path / "kmsg"
    log.write_text(
        "6,1,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/libpod_parent/libpod-abc,task=tail\n"
    )
    assert (out_of_memory("abc", log), out_of_memory("def", log)) == (True, False)
    assert out_of_memory("abc", tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("glob", "path", "meant"),
    [
        ("reports/**/*.xml", "/app/reports/a.xml", True),
        ("reports/**/*.xml", "/app/reports/a/b/c.xml", True),
        ("reports/**/*.xml", "/app/reports/a.txt", False),
        ("reports/*.xml", "/app/reports/deep/a.xml", False),
        ("coverage/", "/app/coverage/deep/x", True),
        ("coverage", "/app/coverage2/x", False),
        ("/tmp/[ab].xml", "/tmp/a.xml", True),
        ("/tmp/[!ab].xml", "/tmp/a.xml", False),
        ("junit-?.xml", "/app/junit-1.xml", True),
        ("../out.xml", "/out.xml", True),
    ],
)
def test_globs_mean_what_they_say(glob: str, path: str, meant: bool):  # noqa: FBT001
    assert bool(wanted(glob, "/app").pattern.fullmatch(path)) is meant


def test_every_folder_is_asked_for_once():
    globs = [
        wanted(glob, "/app") for glob in ("reports/**/*.xml", "reports/unit/", "coverage/", "/tmp/x*.xml")
    ]
    assert roots(globs) == ["/app/coverage", "/app/reports", "/tmp"]


@pytest.mark.parametrize(
    ("image", "login"),
    [("redis:7", {"auth": "aHVi"}), ("ghcr.io/acme/x:1", {"auth": "Z2hjcg=="}), ("other.example/x", None)],
)
def test_a_pull_says_who_we_are_where_somebody_has_logged_in(
    tmp_path: Path, image: str, login: dict[str, str] | None
):
    file = tmp_path / "config.json"
    file.write_text(
        '{"auths": {"https://index.docker.io/v1/": {"auth": "aHVi"}, "ghcr.io": {"auth": "Z2hjcg=="}}}'
    )
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert find_login(image, [tmp_path / "missing", broken, file]) == login
