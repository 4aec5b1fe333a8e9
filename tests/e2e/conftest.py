"""A browser for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.support.browser import Page, browsing


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("browser")) as page:
        yield page
