"""A stage for a real browser: the application on a socket of its own, and Debian's Chromium that looks at it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from conductor.domain.report import LogLine
from conductor.domain.run import Run
from conductor.web.server import address_of, answering, bound
from tests.surfaces.api_stage import Api, api

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BOUND_MS = 20_000


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Cuttable:
    """The application behind a wire that can be cut: streams end without a word, and new ones are refused for a while."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.streams: set[asyncio.Task[None]] = set()
        self.opened = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not scope.get("path", "").endswith("/logs/stream"):
            await self.app(scope, receive, send)
            return
        self.opened += 1
        task = asyncio.create_task(self.app(scope, receive, send))
        self.streams.add(task)
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
        finally:
            self.streams.discard(task)

    def cut(self) -> None:
        for task in self.streams:
            task.cancel()


@dataclass
class Watched:
    """A server with a browser in front of it, and all that the browser complained of."""

    api: Api
    wire: Cuttable
    browser: Browser
    address: str
    complaints: list[str] = field(default_factory=list)

    async def page(
        self, *, who: str = "admin", width: int = 1280, scheme: Any = "light", height: int = 900
    ) -> Page:
        """Open a window and sign in there, as people do."""
        context = await self.browser.new_context(
            base_url=self.address,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        page = await context.new_page()
        page.set_default_timeout(BOUND_MS)
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto("/runs")
        await page.get_by_label("Token").fill(self.api.tokens[who])
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/runs")
        return page

    def _hear(self, kind: str, text: str) -> None:
        cut_on_purpose = "ERR_INCOMPLETE_CHUNKED_ENCODING" in text
        if kind in ("error", "warning") and not cut_on_purpose:
            self.complaints.append(text)


@asynccontextmanager
async def watched(folder: Path, **stage: Any) -> AsyncIterator[Watched]:
    async with (
        api(folder, **stage) as asked,
        async_playwright() as playwright,
    ):
        wire = Cuttable(asked.app)
        with bound("127.0.0.1:0") as opened:
            async with answering(wire, opened):
                browser = await playwright.chromium.launch(
                    executable_path=chromium(), headless=True, args=ARGUMENTS
                )
                try:
                    yield Watched(asked, wire, browser, address_of(opened))
                finally:
                    await browser.close()


async def queued(stage: Watched, branch: str) -> Run:
    """Have a run wait in the queue."""
    server = stage.api.server
    commit, delivery = server.push(f"run-integration-tests-{branch}", branch=branch)
    await server.handle(delivery)
    return (await server.of_commit(commit)).run


async def written(stage: Watched, run: Run, first: int, last: int) -> None:
    """Have the backend write numbered lines, some of them in colours."""
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    lines = [
        LogLine(workload="backend", at=noon + timedelta(milliseconds=n), text=f"\x1b[32mline\x1b[0m {n:06}")
        for n in range(first, last)
    ]
    await stage.api.server.service.world.evidence.append_log(run.id, run.attempt, lines)
