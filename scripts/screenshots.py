# ruff: noqa: INP001 -- a script: it belongs to no package
"""The pictures in README, taken from the running product: `make dev` in one terminal, `python scripts/screenshots.py TOKEN` in another."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
LARGEST_BYTES = 150_000
SIZE = {"width": 1280, "height": 860}
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)


def main() -> int:
    """Take them; 1 where one is too large for a page that is to be light."""
    token, address = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8000"  # noqa: PLR2004
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(base_url=address, viewport=SIZE, reduced_motion="reduce")
        page.goto("/runs")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/runs")
        taken = [take(page, "runs.png", "/runs", height=330), take(page, "run.png", red_run(page))]
        browser.close()
    for path in taken:
        sys.stdout.write(f"{path}: {path.stat().st_size // 1000} kB\n")
    return int(any(path.stat().st_size > LARGEST_BYTES for path in taken))


def red_run(page: Page) -> str:
    """Find the address of a run that failed."""
    page.goto("/runs?state=failed")
    return page.locator("[data-row] a").first.get_attribute("href") or "/runs"


def take(page: Page, name: str, path: str, *, height: int = 860) -> Path:
    """Take one, once what is live has come."""
    page.set_viewport_size({"width": 1280, "height": height})
    page.goto(path)
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / name)
    return IMAGES / name


if __name__ == "__main__":
    raise SystemExit(main())
