# SPDX-License-Identifier: MIT
"""Drives the page in Chromium as a person would: looks for words, clicks, types, drops files. Waits for what should
be seen, never for time to pass. Never calls the page's own code."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")

CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
WAIT_S = 30
# Chromium of the package looks for its maker's hosts otherwise; no test needs them.
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--force-prefers-reduced-motion", "--lang=en-GB")
# Runs before the page's first script: notes what must never happen, and how many streams the page opens.
WITNESS = """
window.witness = { violations: [], errors: [], ran: [], streams: [] };
addEventListener('securitypolicyviolation', (e) => witness.violations.push(`${e.violatedDirective}: ${e.blockedURI}`));
addEventListener('error', (e) => { if (e.message) witness.errors.push(`${e.message} ${e.filename}:${e.lineno}`); });
addEventListener('unhandledrejection', (e) => witness.errors.push(`rejected: ${e.reason}`));
for (const name of ['alert', 'confirm', 'prompt']) window[name] = (text) => { witness.ran.push(`${name}(${text})`); };
window.EventSource = class extends EventSource { constructor(url) { super(url); witness.streams.push(url); } };
"""


class Page:
    """One browser with a fresh profile."""

    def __init__(self, url: str, profile: Path, width: int = 1280, height: int = 860) -> None:
        self.url = url.rstrip("/")
        options = Options()
        options.binary_location = CHROMIUM
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WITNESS})
        self.resize(width, height)
        self.log: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.driver.quit()

    def open(self, route: str) -> None:
        """Loads the page at a route: "", "unfiled", "cases/ID", "documents/ID"."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/#/{route}")

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600})

    def media(self, **features: str) -> None:
        """media(prefers_color_scheme="dark")."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()]})

    # -- looking ---------------------------------------------------------------------------------------------------

    def script(self, source: str, *arguments: object) -> Any:
        return self.driver.execute_script(source, *arguments)

    def wait(self, look: Callable[[], T], what: str, timeout_s: float = WAIT_S) -> T:
        """What `look` gives as soon as it is something."""
        waiter = WebDriverWait(self.driver, timeout_s, poll_frequency=0.05,
                               ignored_exceptions=[StaleElementReferenceException])
        try:
            return waiter.until(lambda _: look())
        except TimeoutException:
            shown = self.script("return document.body.innerText")
            raise AssertionError(f"waited {timeout_s} s for {what}; the page shows:\n{shown}") from None

    def all(self, selector: str, within: WebElement | None = None) -> list[WebElement]:
        return (within or self.driver).find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The first such element that is seen."""
        return self.wait(lambda: next((one for one in self.all(selector) if one.is_displayed()), None),
                         f"a visible {selector}")

    def button(self, name: str, within: str = "") -> WebElement:
        """By what a person reads or a screen reader says."""
        def look() -> WebElement | None:
            for one in self.all(f"{within} button, {within} a"):
                if name in (one.text.strip(), one.get_attribute("aria-label")) and one.is_displayed():
                    return one
            return None
        return self.wait(look, f"a button {name!r}")

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def heading(self, words: str) -> None:
        self.wait(lambda: any(words == one.text for one in self.all("main h1")), f"the heading {words!r}")

    # -- documents in the list -------------------------------------------------------------------------------------

    def document_id(self, name: str) -> str:
        """From the address that the name leads to."""
        link = self.row_node(name).find_element(By.CSS_SELECTOR, ".row-name")
        return str(link.get_attribute("href")).rsplit("/", 1)[1]

    def read(self, name: str) -> None:
        """Opens the document's text."""
        self.row_node(name).find_element(By.CSS_SELECTOR, ".row-name").click()
        self.heading(name)

    def rows(self) -> list[dict[str, Any]]:
        """Each line as it is now: name, state, label, note, value of the bar, whether it is shown."""
        return self.script("""return [...document.querySelectorAll('.row')].map((row) => ({
            name: row.querySelector('.row-name').textContent.trim(), state: row.dataset.state,
            label: row.querySelector('.row-state').textContent, note: row.querySelector('.row-note').textContent,
            value: row.querySelector('progress').value, shown: !row.hidden }))""")

    def row(self, name: str) -> dict[str, Any] | None:
        return next((row for row in self.rows() if row["name"] == name), None)

    def row_node(self, name: str) -> WebElement:
        return self.wait(lambda: next((row for row in self.all(".row")
                                       if name in row.find_element(By.CSS_SELECTOR, ".row-name").text), None),
                         f"a line {name!r}")

    def row_button(self, name: str, action: str) -> WebElement:
        return self.row_node(name).find_element(By.CSS_SELECTOR, f"[data-action={action}]")

    def wait_state(self, name: str, *states: str, timeout_s: float = 90) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            row = self.row(name)
            return row if row and row["state"] in states else None
        return self.wait(look, f"{name} to be {' or '.join(states)}", timeout_s)

    # -- doing -----------------------------------------------------------------------------------------------------

    def create_case(self, title: str, description: str = "") -> str:
        """By the form; returns the id from the address."""
        self.button("New case").click()
        self.one("#case-title").send_keys(title)
        self.one("#case-description").send_keys(description)
        self.button("Create case").click()
        self.heading(title)
        return self.driver.current_url.rsplit("/", 1)[1]

    def choose(self, *files: Path) -> None:
        """Through the file dialog's input."""
        self.wait(lambda: self.all("input[type=file]"), "the file input")[0].send_keys("\n".join(map(str, files)))

    def drop(self, files: Sequence[Path]) -> None:
        """As the system does when files are dragged from a folder onto the page."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}

        def drag(kind: str) -> None:
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 400, "data": data})

        def hovering() -> bool:
            drag("dragOver")
            return bool(self.all("main.is-target"))

        drag("dragEnter")
        self.wait(hovering, "the page to say that files may be dropped")
        drag("drop")

    def keys(self, *keys: str) -> None:
        """To whatever has the keyboard."""
        chain = ActionChains(self.driver, duration=0)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def tab_to(self, name: str, steps_max: int = 60) -> None:
        """Presses Tab until the element that a screen reader calls `name` has the keyboard; each stop is visible."""
        stops = []
        for _ in range(steps_max):
            self.keys(Keys.TAB)
            stop = self.script("""
                const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
                return { name: node.getAttribute('aria-label') || node.labels?.[0]?.textContent.trim()
                           || node.textContent.trim(),
                         seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                         size: box.width * box.height, tag: node.tagName };""")
            stops.append(stop["name"])
            if stop["tag"] == "BODY":
                continue
            assert stop["seen"] and stop["size"] > 0, f"the keyboard is at {stop} and nobody sees it"
            if name == stop["name"]:
                return
        raise AssertionError(f"Tab never came to {name!r}, only to {stops}")

    # -- what must not be ------------------------------------------------------------------------------------------

    def witness(self) -> dict[str, list[str]]:
        return self.script("return window.witness")

    def complaints(self) -> list[str]:
        """Policy violations, script from data, errors of the page's own code. Answers such as 409 are none."""
        found = [f"{kind}: {text}" for kind in ("violations", "errors", "ran") for text in self.witness()[kind]]
        self.log += [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return found + [text for text in self.log if "Failed to load resource" not in text]

    def overflow(self) -> list[str]:
        """What sticks out of the window at the side."""
        return self.script("""
            const wide = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= wide) return [];
            return [...document.querySelectorAll('body *')]
                .filter((node) => node.getBoundingClientRect().right > wide + 1)
                .map((node) => `${node.tagName}.${node.className} ends at ${node.getBoundingClientRect().right}`);""")

    def contrasts(self) -> list[str]:
        """Visible text that is less than 4.5 : 1 (large: 3 : 1) against what lies behind it."""
        return json.loads(self.script(CONTRAST))


CONTRAST = """
const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
function rgba(colour) {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
}
function over(top, under) { return [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1); }
function behind(node) {
    const colour = node ? rgba(getComputedStyle(node).backgroundColor) : [1, 1, 1, 1];
    return colour[3] < 1 ? over(colour, node ? behind(node.parentElement) : [1, 1, 1, 1]) : colour;
}
function light(colour) {
    const [r, g, b] = colour.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const found = [];
for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (node.closest('.unseen, .skip, [disabled], noscript')) continue;
    const style = getComputedStyle(node), under = behind(node);
    let ink = rgba(style.color);
    ink[3] *= Number(style.opacity);
    ink = over(ink, under);
    const [high, low] = [light(ink), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const what = `${node.tagName}.${node.className} ${node.textContent.trim().slice(0, 40)}`;
    if (ratio < least) found.push(`${ratio.toFixed(2)}: ${what}`);
}
return JSON.stringify(found);
"""
