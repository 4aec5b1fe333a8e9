"""A real browser without a window, and what a person does with the page in it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.support.patience import stretched

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 15.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--window-size=1400,1000",
)


class Page:
    """The page as a person has it before them. Every look waits until it is there, or fails with what is there."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def go(self, url: str) -> None:
        """Load an address anew."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def see(self, css: str, text: str = "") -> WebElement:
        """The first shown element that holds the text."""
        found: list[WebElement] = []

        def look(_: webdriver.Chrome) -> bool:
            found[:] = [e for e in self.driver.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()]
            found[:] = [e for e in found if text in e.text]
            return bool(found)

        self.until(look, f"{css} with {text!r}")
        return found[0]

    def until(self, holds: Callable[[webdriver.Chrome], Any], what: str, patience: float = PATIENCE) -> Any:
        """Wait for something; a page that is drawn anew meanwhile is looked at again."""
        wait = WebDriverWait(
            self.driver, stretched(patience), poll_frequency=0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        try:
            return wait.until(holds)
        except Exception as error:
            raise AssertionError(f"waited for {what}; the page says:\n{self.text}") from error

    def press(self, css: str, text: str = "") -> None:
        """Click on it, where the bar at the top does not cover it; again if it was drawn anew under the finger."""

        def click(_: webdriver.Chrome) -> bool:
            button = self.see(css, text)
            self.run("arguments[0].scrollIntoView({block: 'center'})", button)
            button.click()
            return True

        self.until(click, f"{css} with {text!r}")

    def fill(self, name: str, text: str) -> None:
        """Type into the field of this name, or choose from it."""
        field = self.see(f"[name={name}]")
        if field.tag_name == "select":
            self.until(lambda _: text in [option.get_attribute("value") for option in Select(field).options], text)
            Select(field).select_by_value(text)
        else:
            field.clear()
            field.send_keys(text)

    def choose_file(self, css: str, path: Path) -> None:
        """Give a file to an upload field."""
        self.driver.find_element(By.CSS_SELECTOR, css).send_keys(str(path))

    def figure(self, state: str) -> int:
        """How many sites the page counts in a state."""
        text = self.see(f".figure[data-state={state}] strong").text
        return int("".join(filter(str.isdigit, text)))

    def picture(self, css: str) -> str:
        """What is drawn on a canvas."""
        drawn: str = self.run("return document.querySelector(arguments[0]).toDataURL()", css)
        return drawn

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def prefer(self, scheme: str) -> None:
        """As if the system was set to light or dark."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def width(self, pixels: int) -> None:
        """As on a screen of this width."""
        size = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": pixels < 700}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def complaints(self) -> list[str]:
        """What the browser's console got since it was last asked: errors of scripts, of the policy, of loading."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@contextmanager
def browsing(profile: Path) -> Iterator[Page]:
    """A browser with a fresh profile. Where there is none the test fails: a page nobody looked at is not tested."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.fail("the page needs Chromium and chromedriver (apt install chromium chromium-driver)", pytrace=False)
    options = Options()
    options.binary_location = str(binary)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    quiet = Service(str(driver), log_output=os.devnull)
    chromium = webdriver.Chrome(options=options, service=quiet)
    try:
        yield Page(chromium)
    finally:
        chromium.quit()
