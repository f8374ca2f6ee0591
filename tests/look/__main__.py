"""`make look`: the page in a real browser, narrow and wide, light and dark, as pictures to look at.

Fails on a message on the console, a request for anything but the page, or something that is wider
than the window.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

from allowsync.model.outcome import Notice
from allowsync.report.html_page import page
from tests.support.page import HOSTILE, past, standing, well

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (360, 1200)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Watched:
    """What a browser did and said while it showed a page."""

    address: str
    complaints: list[str] = field(default_factory=list)

    def watch(self, shown: Page) -> None:
        shown.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        shown.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        shown.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        shown.on("request", lambda request: self.requested(request.url))

    def requested(self, url: str) -> None:
        if url not in (self.address, "data:,"):
            self.complaints.append(f"asked for {url}")


def pages(folder: Path) -> list[Path]:
    """Pages to look at: all is well, much is wrong, and every text is hostile."""
    hostile = standing(reason=HOSTILE, notices=(Notice(HOSTILE, HOSTILE),))
    texts = {
        "well": page(well(), past()),
        "wrong": page(standing(notices=(Notice("old/z", "is no longer configured"),)), past()),
        "hostile": page(hostile, past(HOSTILE)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return [folder / f"{name}.html" for name in texts]


def look(browser: Browser, file: Path) -> list[str]:
    """Take the pictures of one page. Returns what is wrong with it."""
    watched = Watched(file.absolute().as_uri())
    for width in WIDTHS:
        for scheme in SCHEMES:
            window = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            watched.watch(window)
            window.goto(watched.address)
            wider = window.evaluate(WIDER)
            if wider > 0:
                watched.complaints.append(f"{wider} px wider than {width} px")
            window.screenshot(path=f"{file.with_suffix('')}-{width}-{scheme}.png", full_page=True)
            window.close()
    return [f"{file.name}: {one}" for one in watched.complaints]


def main(folder: Path) -> int:
    """Look at every page with the Chromium that is installed."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("there is no chromium here; on Debian: apt install chromium")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        wrong = [one for file in pages(folder) for one in look(browser, file)]
        browser.close()
    print("\n".join(wrong) or f"nothing is wrong; the pictures are in {folder}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist/look")))
