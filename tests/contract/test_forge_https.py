"""The forge and a git server: over https with a token, and one that gives no commit by its id."""

import base64
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conductor.adapters.folder import FolderForge, Token
from conductor.domain.run import Source
from conductor.errors import NotFoundError, RunError, UnreachableError

TOKEN = "hunter2-token"
WHO = {
    f"GIT_{role}_{what}": "ada@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
QUIET = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **WHO}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=QUIET, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*")]


def commit(folder: Path, text: str) -> str:
    (folder / "file").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", f"Write {text}")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "served" / "acme" / "shop"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one")
    git(folder, "tag", "-a", "t", "-m", "Issue: #12")
    return folder


class GitServer(BaseHTTPRequestHandler):
    """git's own server behind https and a password."""

    root: Path
    passwords: list[str]

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self, body: bytes) -> None:
        given = self.headers.get("Authorization", "")
        if not given:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.passwords.append(base64.b64decode(given.removeprefix("Basic ")).decode())
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], env=QUIET | variables, input=body, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@dataclass
class Served:
    host: str
    passwords: list[str]

    @property
    def url(self) -> str:
        return f"https://{self.host}/acme/shop"


@pytest.fixture
def served(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: no certificate for the server")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *new.split(), *names], check=True, capture_output=True)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    passwords: list[str] = []
    handler = type("Handler", (GitServer,), {"root": shop.parents[1], "passwords": passwords})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Served(host=f"localhost:{server.server_port}", passwords=passwords)
        server.shutdown()
        thread.join(10)


async def test_a_forge_that_asks_for_tokens_asks_each_time_and_only_for_addresses(shop: Path, served: Served):
    asked: list[str] = []

    async def token_for(location: str) -> str | None:
        asked.append(location)
        return f"token-{len(asked)}" if location == served.url else None

    forge = FolderForge(token_for=token_for)
    for _ in range(2):
        await forge.resolve(served.url, None)
    assert set(served.passwords) == {"x-access-token:token-1", "x-access-token:token-2"}
    await forge.resolve(str(shop), None)
    assert asked == [served.url, served.url]


async def test_a_private_repository_is_opened_by_the_token_of_its_host(
    shop: Path, served: Served, tmp_path: Path
):
    forge = FolderForge(token=Token(host=served.host, value=TOKEN))
    first = git(shop, "rev-parse", "HEAD")
    second = commit(shop, "two")
    latest = await forge.resolve(served.url, None)
    assert latest == Source(location=served.url, ref="main", commit=second, branch="main")
    tagged = await forge.resolve(served.url, "t")
    assert (tagged.commit, tagged.branch) == (first, "t")
    await forge.clone(tagged, tmp_path / "checkout")
    assert (tmp_path / "checkout" / "file").read_text() == "one"
    assert await forge.commits_message(tagged) == ["Issue: #12", "Write one"]
    assert (await forge.trusted_file(tagged, "file")).text == "two"
    assert set(served.passwords) == {f"x-access-token:{TOKEN}"}


async def test_a_commit_that_no_ref_stands_at_is_asked_for(shop: Path, served: Served):
    forge = FolderForge(token=Token(host=served.host, value=TOKEN))
    between = commit(shop, "two")
    commit(shop, "three")
    assert (await forge.resolve(served.url, between)).commit == between
    with pytest.raises(NotFoundError, match="no tag, branch or commit"):
        await forge.resolve(served.url, "d" * 40)


@pytest.mark.parametrize("host", ["github.com", "ocalhost:1", "localhost"])
async def test_the_token_is_sent_to_no_other_host(served: Served, host: str):
    forge = FolderForge(token=Token(host=host, value=TOKEN))
    with pytest.raises(NotFoundError, match="private") as caught:
        await forge.resolve(served.url, None)
    assert "CONDUCTOR_GIT_TOKEN" in caught.value.remedy
    assert served.passwords == []


async def test_a_repository_that_the_server_does_not_have_is_not_found(served: Served):
    forge = FolderForge(token=Token(host=served.host, value=TOKEN))
    with pytest.raises(NotFoundError) as caught:
        await forge.resolve(f"https://{served.host}/acme/none", None)
    assert TOKEN not in str(caught.value)


async def test_a_server_that_does_not_answer_is_unreachable(tmp_path: Path):
    source = Source(location="https://127.0.0.1:1/acme/shop", ref="main", commit="d" * 40)
    with pytest.raises(UnreachableError):
        await FolderForge().resolve(source.location, None)
    with pytest.raises(UnreachableError) as caught:
        await FolderForge().clone(source, tmp_path / "checkout")
    assert caught.value.retryable


async def test_without_a_token_git_asks_nobody_for_a_password(served: Served):
    with pytest.raises(NotFoundError, match="private"):
        await FolderForge().resolve(served.url, None)


@pytest.fixture
def by_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that speaks the old protocol, as an old server does: nothing is given by id but what a ref stands at."""
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {shutil.which("git")} -c protocol.version=0 "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("by_name_only")
@pytest.mark.parametrize("tag", ["t", "--upload-pack=touch${IFS}pwned;", "-v", "v1$(touch${IFS}pwned)"])
async def test_a_server_that_gives_nothing_by_id_is_asked_by_name(shop: Path, tmp_path: Path, tag: str):
    if tag != "t":
        git(shop, "update-ref", f"refs/tags/{tag}", git(shop, "rev-parse", "refs/tags/t"))
    commit(shop, "two")
    source = await FolderForge().resolve(str(shop), tag)
    await FolderForge().clone(source, tmp_path / "checkout")
    assert (tmp_path / "checkout" / "file").read_text() == "one"
    assert "pwned" not in names_in(tmp_path)


@pytest.mark.usefixtures("by_name_only")
async def test_a_tag_that_moved_where_nothing_is_given_by_id_breaks_the_run(shop: Path, tmp_path: Path):
    source = await FolderForge().resolve(str(shop), "t")
    commit(shop, "two")
    git(shop, "tag", "--force", "-a", "t", "-m", "Again")
    with pytest.raises(RunError, match="has moved away") as caught:
        await FolderForge().clone(source, tmp_path / "checkout")
    assert (caught.value.reason, caught.value.fault) == ("CloneFailed", "repository")
