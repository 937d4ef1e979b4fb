"""`deploy/tools/run`, for real: the command runs as it would have run alone, and what it leaves is mirrored."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.kubernetes.tools import PATIENCE, Pod


def eventually(condition: Callable[[], object]) -> None:
    """Wait until it holds; fail when that takes too long."""
    for _ in range(PATIENCE * 20):
        if condition():
            return
        time.sleep(0.05)  # another process is waited for
    raise AssertionError("it did not come about")


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_commands_own(pod: Pod, code: int):
    assert pod.shell(f"exit {code}").returncode == code


def test_a_command_that_is_killed_answers_as_shells_say_it(pod: Pod):
    assert pod.shell("kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_the_commands_own_words_reach_it_unchanged(pod: Pod):
    words = ["a b", "", "*", "$HOME", "it's", "--", "-n", "ü\n"]
    done = pod.run("python3", "-c", "import sys; print(sys.argv[1:])", *words)
    assert done.stdout.strip() == str(words)


def test_streams_stay_apart_and_standard_input_is_the_containers(pod: Pod):
    done = pod.shell("echo out; echo err >&2; cat")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_the_environment_is_the_images_own(pod: Pod):
    alone = {"PATH": os.environ["PATH"], "PWD": str(pod.work), "HOME": "/nowhere"}
    done = subprocess.run(
        pod.command("env"),
        cwd=pod.work, env=alone, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert sorted(done.stdout.splitlines()) == sorted(f"{name}={value}" for name, value in alone.items())


def test_no_signal_is_ignored_that_was_not(pod: Pod):
    done = pod.shell("grep -E 'SigIgn|SigBlk' /proc/self/status")
    masks = [int(line.split()[1], 16) for line in done.stdout.splitlines()]
    own = [
        int(line.split()[1], 16)
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(("SigIgn", "SigBlk"))
    ]
    python_restores = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert [mask & ~python_restores for mask in masks] == [mask & ~python_restores for mask in own]


def test_the_images_own_program_is_run_and_not_the_tools_of_the_same_name(pod: Pod):
    (pod.work / "bin").mkdir()
    own = pod.work / "bin" / "find"
    own.write_text("#!/bin/sh\necho the image has its own\n")
    own.chmod(0o755)
    path = {"PATH": f"{pod.work}/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        pod.command("find"),
        cwd=pod.work,
        env=path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "the image has its own\n"


def test_an_image_without_any_other_program_works(pod: Pod):
    done = subprocess.run(
        pod.command(f"{pod.tools}/busybox", "touch", "report.xml", reports=("*.xml",)),
        cwd=pod.work, env={"PATH": "/nowhere"}, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert pod.mirrored == {"report.xml": ""}


def test_a_program_that_is_not_there_is_127_and_one_that_is_none_is_126(pod: Pod):
    missing = pod.run("no-such-program")
    (pod.work / "text").write_text("x")
    refused = pod.run("./text")
    assert (missing.returncode, refused.returncode) == (127, 126)
    assert "no-such-program: command not found" in missing.stderr


def test_reports_and_artifacts_are_mirrored_by_their_globs(pod: Pod):
    pod.shell(
        "mkdir -p reports/unit/deep coverage/a; echo 1 >reports/unit/deep/a.xml; echo 2 >reports/b.xml; echo 3 >reports/c.txt;"
        " echo 4 >coverage/a/index.html; echo 5 >other.xml; echo 6 >'reports/with blank.xml'",
        reports=("reports/**/*.xml",),
        artifacts=("coverage/",),
    )
    assert pod.mirrored == {
        "reports/unit/deep/a.xml": "1\n",
        "reports/b.xml": "2\n",
        "reports/with blank.xml": "6\n",
        "coverage/a/index.html": "4\n",
    }
    assert pod.left == []


def test_absolute_patterns_are_named_by_their_path_and_those_below_the_working_directory_by_it(
    pod: Pod, tmp_path: Path
):
    (tmp_path / "elsewhere").mkdir()
    pod.shell(
        f"echo 1 >{tmp_path}/elsewhere/a.xml; echo 2 >b.xml; echo 3 >../elsewhere/c.txt",
        reports=(f"{tmp_path}/elsewhere/*.xml", f"{pod.work}/b.xml", "../elsewhere/*.txt"),
    )
    elsewhere = f"{tmp_path}/elsewhere".lstrip("/")
    assert pod.mirrored == {f"{elsewhere}/a.xml": "1\n", "b.xml": "2\n", f"{elsewhere}/c.txt": "3\n"}


def test_hostile_names_are_names(pod: Pod):
    names = [
        "-rf.xml",
        "a;reboot.xml",
        "$(touch owned).xml",
        "a'b\".xml",
        "back\\slash.xml",
        "ü.xml",
        "[x].xml",
    ]
    script = "import pathlib,sys\nfor n in sys.argv[1:]: pathlib.Path(n).write_text(n)"
    pod.run("python3", "-c", script, *names, "new\nline.xml", reports=("*.xml",))
    assert pod.mirrored == {name: name for name in names}
    assert not (pod.work / "owned").exists()


def test_links_stay_links_and_lead_nowhere_else(pod: Pod):
    pod.shell(
        "mkdir reports; ln -s /etc/passwd reports/p.xml; ln -s .. reports/up.xml", reports=("reports/",)
    )
    tree = pod.results / "tree" / "reports"
    assert sorted((file.name, str(file.readlink())) for file in tree.iterdir()) == [
        ("p.xml", "/etc/passwd"),
        ("up.xml", ".."),
    ]


def test_the_last_look_shows_what_is_there_in_the_end(pod: Pod):
    done = pod.shell(
        f"echo old >a.xml; echo gone >b.xml; until [ -e {pod.results}/tree/b.xml ]; do sleep 0.1; done; echo new >a.xml; rm b.xml",
        reports=("*.xml",),
    )
    assert (done.returncode, pod.mirrored, pod.left) == (0, {"a.xml": "new\n"}, [])
    assert (pod.results / "ended").exists()


def test_what_is_over_the_limit_is_left_out_and_said_reports_come_first(pod: Pod):
    pod.shell(
        "head -c 600 /dev/zero >big.bin; head -c 300 /dev/zero >r.xml; head -c 200 /dev/zero >small.bin",
        reports=("*.xml",),
        artifacts=("*.bin",),
        limit=550,
    )
    assert sorted(pod.mirrored) == ["r.xml", "small.bin"]
    assert pod.left == ["big.bin: 600 bytes would be over the limit of 550"]


def test_files_that_only_their_owner_may_read_can_be_read_from_the_mirror(pod: Pod):
    pod.shell("mkdir -m 700 reports; umask 077; echo 1 >reports/a.xml", reports=("reports/",))
    tree = pod.results / "tree" / "reports"
    assert (tree.stat().st_mode & 0o055, (tree / "a.xml").stat().st_mode & 0o044) == (0o055, 0o044)


def test_a_command_that_is_killed_with_its_runner_leaves_the_mirror_of_its_last_moments(pod: Pod):
    waits = "echo 1 >a.xml; sleep 100"
    with subprocess.Popen(
        pod.command("sh", "-c", waits, reports=("*.xml",)), cwd=pod.work, start_new_session=True
    ) as running:
        eventually((pod.results / "tree" / "a.xml").exists)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(PATIENCE)
    assert pod.mirrored == {"a.xml": "1\n"}
    assert not (pod.results / "ended").exists()


def test_sigterm_reaches_the_command_and_what_it_writes_then_is_kept(pod: Pod, tini: Path):
    script = "trap 'echo bye >a.xml; exit 7' TERM; touch ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [str(tini), "-s", "-g", "--", *pod.command("sh", "-c", script, reports=("*.xml",))], cwd=pod.work
    ) as running:
        eventually((pod.work / "ready").exists)
        running.terminate()
        assert running.wait(PATIENCE) == 7
    assert pod.mirrored == {"a.xml": "bye\n"}


def test_a_command_that_takes_no_notice_is_killed_after_its_grace_and_its_files_are_kept(
    pod: Pod, tini: Path
):
    script = "import pathlib,signal,time; signal.signal(15, signal.SIG_IGN); pathlib.Path('a.xml').write_text('1'); time.sleep(100)"
    command = pod.command("python3", "-c", script, reports=("*.xml",), grace=1)
    with subprocess.Popen([str(tini), "-s", "-g", "--", *command], cwd=pod.work) as running:
        eventually((pod.work / "a.xml").exists)
        running.terminate()
        assert running.wait(PATIENCE) == 128 + signal.SIGKILL
    assert pod.mirrored == {"a.xml": "1"}
    assert (pod.results / "ended").exists()
