"""axe-core, which finds what keeps somebody from using a view: names that are missing, contrasts that are too weak."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.support.browser import Page

ROOT = Path(__file__).parents[2]
LOOK = """
const done = arguments[0];
axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => done(violations.flatMap(({id, nodes}) =>
    nodes.map(({html, any, all, none}) => `${id}: ${html.slice(0, 200)}: ${[...any, ...all, ...none][0]?.message}`))));
"""


@cache
def script() -> str:
    """The program itself, as npm has it. Without Node.js a test that needs it is left out, but not under CI."""
    asked = subprocess.run([ROOT / ".ci/page/run", "axe"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.fail(f"axe-core cannot be had: {asked.stderr}", pytrace=False)
    said = asked.stdout.strip().splitlines()[-1]
    if said.startswith("left out"):
        pytest.skip(said)
    return Path(said).read_text()


def faults(page: Page) -> list[str]:
    """Each fault of what is shown, with the element that has it."""
    if not page.run("return 'axe' in window"):
        page.run(f"{script()}; 0")
    found: list[str] = page.driver.execute_async_script(LOOK)
    return found
