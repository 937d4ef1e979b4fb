"""conductor github connect: a browser's way to a GitHub App, with a GitHub that this test plays."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.live.shop import conductor

MADE = {
    "id": 4711,
    "slug": "conductor-acme",
    "html_url": "https://github.example.org/apps/conductor-acme",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nnobody's\n-----END RSA PRIVATE KEY-----\n",
    "webhook_secret": "what deliveries are signed with",
}


@pytest.fixture
def played_github() -> Iterator[str]:
    """A GitHub Enterprise Server that redeems one code, once."""
    codes = {"the-code"}

    class Played(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            code = self.path.split("/")[-2]
            status, told = (201, MADE) if code in codes else (404, {"message": "Not Found"})
            codes.discard(code)
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Played) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def connecting(folder: Path, github: str) -> subprocess.Popen[str]:
    command = [*conductor(), "github", "connect", "--public-url", "https://conductor.example.org"]
    return subprocess.Popen(
        [*command, "--org", "acme", "--github", github, "--to", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "CONDUCTOR_STATE": str(folder / "state")},
    )


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://\S+/", process.stdout.readline())
    assert found
    return found.group().rstrip("/")


def test_a_browser_makes_the_app_and_its_secrets_end_in_files_of_their_owner(
    tmp_path: Path, played_github: str
):
    with connecting(tmp_path, played_github) as process:
        address = address_of(process)
        page = httpx2.get(f"{address}/")
        action = html.unescape(re.search(r'action="([^"]+)"', page.text)[1])  # type: ignore[index]
        told = json.loads(html.unescape(re.search(r'name="manifest" value="([^"]+)"', page.text)[1]))  # type: ignore[index]
        state = parse_qs(urlsplit(action).query)["state"][0]
        foreign = httpx2.get(f"{address}/created", params={"code": "the-code", "state": "another"})
        wrong = httpx2.get(f"{address}/created", params={"code": "no-such-code", "state": state})
        back = httpx2.get(f"{address}/created", params={"code": "the-code", "state": state})
        printed = process.communicate(timeout=60)[0]

    assert action.startswith(f"{played_github}/organizations/acme/settings/apps/new?")
    assert told["redirect_url"] == f"{address}/created"
    assert told["hook_attributes"]["url"] == "https://conductor.example.org/webhooks/github"
    assert "administration" not in told["default_permissions"]
    assert f"form-action {played_github}" in page.headers["Content-Security-Policy"]
    assert (foreign.status_code, wrong.status_code, back.status_code) == (400, 502, 200)
    assert process.returncode == 0
    key, env = tmp_path / "github-app.pem", tmp_path / "github-app.env"
    assert key.read_text() == MADE["pem"]
    assert "CONDUCTOR_GITHUB_APP_ID=4711" in env.read_text()
    assert {file.stat().st_mode & 0o777 for file in (key, env)} == {0o600}
    for shown in (printed, back.text, wrong.text):
        assert "nobody's" not in shown
        assert MADE["webhook_secret"] not in shown


def test_files_that_are_there_are_not_written_over(tmp_path: Path):
    (tmp_path / "github-app.pem").write_text("another App's")
    with connecting(tmp_path, "http://127.0.0.1:9") as process:
        process.communicate(timeout=60)
    assert process.returncode == 2
    assert (tmp_path / "github-app.pem").read_text() == "another App's"
