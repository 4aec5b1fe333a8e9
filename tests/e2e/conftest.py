"""A browser for the tests of a module, and the page of its Belay in it."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Page, browsing
from tests.support.system import System


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser: Page, belay: System) -> Page:
    """The page, freshly loaded through a link with the admin's token."""
    browser.prefer("light")
    browser.go(f"{belay.url}/#token={belay.token}")
    browser.see(".connection", "Live")
    browser.complaints()
    return browser
