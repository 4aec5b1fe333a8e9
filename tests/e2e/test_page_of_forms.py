"""What forms of the page send and show: plans with all that comes of them, names of bundles, answers that come late."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.client import Client
from tests.support.browser import Page
from tests.support.bundles import bundle
from tests.support.starlingx import armada, summed, tarball
from tests.support.system import System, running

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

SITE = "oslo"
SOCKET = "app: socket\nversion: 1.0.0\ncomponents: [{name: pin, driver: simulated}]\n"
LAMP = "app: lamp\nversion: {version}\ncomponents: [{{name: bulb, driver: simulated}}]\n"
NEEDY = "depends_on: [{app: socket, action: apply}, {app: ghost, action: warn}]\n"

HELD = """
const [mark, times] = arguments;
const real = window.fetch;
window.held = [];
window.fetch = async (path, options) => {
  const answer = await real(path, options);
  if (!String(path).includes(mark)) return answer;
  const text = await answer.text();
  answer.text = async () => {
    if (window.held.length < times) await new Promise((wake) => window.held.push(wake));
    return text;
  };
  return answer;
};
"""
"""Answers to requests that hold the mark come, but only when `held` is called."""

LET_GO = "window.held[0](); return new Promise((wake) => setTimeout(wake))"
"""The answer has come whole: in the next turn of the browser all is done that the page does with it."""

CHOSEN = """
const [list, value] = arguments;
list.value = value;
list.dispatchEvent(new Event("input", { bubbles: true }));
"""

BROKEN_ONCE = """
const [status] = arguments;
const real = window.fetch;
window.asked = 0;
window.fetch = (path, options) =>
  String(path).includes("/v1/publications/") && window.asked++ === 0
    ? Promise.resolve(new Response("{}", {status})) : real(path, options);
"""


@pytest.fixture(scope="module")
def belay(browser: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One site that runs the first release of an app; the second needs another app, and names one that is nowhere."""
    with running(tmp_path_factory.mktemp("belay")) as system, system.client() as client:
        system.register(SITE)
        publish(system, client, SOCKET, LAMP.format(version="1.0.0"), LAMP.format(version="2.0.0") + NEEDY)
        system.until_published("lamp", "2.0.0")
        client.command("POST", "/v1/operations", {"site": SITE, "app": "lamp", "kind": "apply", "version": "1.0.0"})
        yield system


def publish(system: System, client: Client, *manifests: str) -> None:
    for number, manifest in enumerate(manifests):
        path = Path(system.home.root) / f"{number}.tar.gz"
        path.write_bytes(bundle({"bundle.yaml": manifest.encode()}))
        client.upload(path)


def test_a_plan_shows_apps_that_come_first_values_notices_and_from_where_on_nothing_leads_back(
    page: Page, belay: System
) -> None:
    with belay.client() as client:
        override = {"level": "site", "target": SITE, "values": {"colour": "red"}}
        client.command("POST", "/v1/apps/lamp/overrides/bulb", override)
    page.run(f"location.hash = '#/new-operation?site={SITE}'")
    page.fill("app", "lamp")
    page.fill("version", "2.0.0")
    page.press("summary", "More")
    page.fill("recover", "never")
    page.press("[type=submit]", "Show the plan")
    page.see("section", "Changed first")
    assert "socket to 1.0.0" in page.see("ol.lines").text
    assert "ghost" in page.see("ul.lines").text
    assert page.see("[aria-label='Values that change'] td[data-head=Value]").text == "colour"
    page.see(".summary.mild", "From deploy on it is not turned back")
    page.fill("recover", "always")
    page.press("[type=submit]", "Show the plan")
    page.see("section", "it is turned back")
    assert page.complaints() == []


def test_overrides_are_set_from_yaml_with_what_else_the_command_line_can_say(page: Page, belay: System) -> None:
    page.run(f"location.hash = '#/overrides/lamp/bulb?site={SITE}'")
    page.see("[name=values]").send_keys("colour: [")
    page.press("[type=submit]", "Set")
    page.see("[data-path=values] .fault", "cannot be read as values")
    page.fill("values", "shade: {tone: warm}")
    page.press(".check", "In place of all values")
    page.press("[type=submit]", "Set")
    page.see("td[data-head=Value]", "shade.tone")
    page.see(".section", "The last 100 changes can be restored")
    with belay.client() as client:
        (level,) = client.get("/v1/apps/lamp/overrides/bulb", site=SITE)["levels"]
    assert level["values"] == {"shade": {"tone": "warm"}}
    assert [line for line in page.complaints() if "422" not in line] == []


def test_a_plan_that_comes_late_is_not_shown_for_what_the_form_says_by_then(page: Page, belay: System) -> None:
    page.run(f"location.hash = '#/new-operation?site={SITE}'")
    page.fill("app", "lamp")
    page.fill("version", "2.0.0")
    page.run(HELD, "/v1/operations", 1)
    page.press("[type=submit]", "Show the plan")
    page.until(lambda _: page.run("return window.held.length"), "the answer")
    page.press(".segmented label", "Remove")
    page.run(LET_GO)
    assert "What it would do" not in page.text
    assert page.complaints() == []


def test_a_slow_answer_to_an_older_filter_does_not_take_the_place_of_a_newer_one(page: Page) -> None:
    page.run("location.hash = '#/operations'")
    page.see("td[data-head=Operation]", "apply lamp")
    page.run(HELD, "state=failed", 1)
    choose(page, "state", "failed")
    page.until(lambda _: page.run("return window.held.length"), "the slow answer")
    choose(page, "state", "succeeded")
    until_read(page, "state=succeeded")
    page.run(LET_GO)
    assert "No operation" not in page.text
    assert page.see("td[data-head=State]").text == "succeeded"
    assert page.complaints() == []


def choose(page: Page, name: str, value: str) -> None:
    """Choose from a list with the event that a person's choice makes; the driver's own makes none of `input`."""
    page.run(CHOSEN, page.see(f"[name={name}]"), value)


def until_read(page: Page, query: str) -> None:
    """Until the answer to this filter is there; the table alone does not say so, for it stays until then."""
    read = "return location.hash.endsWith(arguments[0]) && !document.querySelector('[aria-busy]')"
    page.until(lambda _: page.run(read, query), f"the answer to {query}")


def test_a_filter_that_is_chosen_while_another_is_read_stays_chosen_when_the_older_fails(page: Page) -> None:
    page.run("location.hash = '#/operations'")
    page.see("td[data-head=Operation]", "apply lamp")
    page.run(HELD, "site=nowhere", 1)
    page.fill("site", "nowhere")  # of a site that is not there the gateway says so
    page.until(lambda _: page.run("return window.held.length"), "the slow refusal")
    page.fill("site", SITE)
    until_read(page, f"site={SITE}")
    page.run(LET_GO)
    assert "nowhere" not in page.text
    assert page.see("td[data-head=Site]").text == SITE


def test_a_publication_whose_end_was_missed_is_told_when_the_stream_is_back(page: Page, belay: System) -> None:
    upload_unheard(page, belay, "1.1.0", 404)  # nothing was said of it yet
    belay.until_published("socket", "1.1.0")  # of which the page hears nothing
    page.see(".uploading", "being checked")
    page.run("window.live.start()")
    page.see(".summary.good", "socket 1.1.0 is available")


def test_a_gateway_that_breaks_while_a_bundle_is_checked_has_not_rejected_it(page: Page, belay: System) -> None:
    upload_unheard(page, belay, "1.2.0", 500)
    page.see(".uploading", "being checked")
    page.see(".summary.good", "socket 1.2.0 is available")


def upload_unheard(page: Page, belay: System, version: str, status: int) -> None:
    """Upload a bundle while no event comes; the first question what became of it is answered with this status."""
    page.press("nav a", "Releases")
    page.see(".drop")
    page.run("import('/static/live.js').then(({stream}) => { stream.stop(); window.live = stream; })")
    page.until(lambda _: page.run("return Boolean(window.live)"), "the stream to be stopped")
    page.run(BROKEN_ONCE, status)
    path = Path(belay.home.root) / "socket.tar.gz"
    path.write_bytes(bundle({"bundle.yaml": SOCKET.replace("1.0.0", version).encode()}))
    page.choose_file("#bundle", path)
    page.until(lambda _: page.run("return window.asked"), "the first question")


def test_an_old_tarball_gets_its_name_and_version_from_the_person_who_uploads_it(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "platform-integ-apps.tgz"
    path.write_bytes(tarball(summed(armada())))
    page.press("nav a", "Releases")
    page.see(".drop")
    page.choose_file("#bundle", path)
    page.see(".faults", "neither the tarball says it")
    page.press(".uploader summary")
    page.fill("app", "platform-integ-apps")
    page.fill("version", "1.0-9")
    page.choose_file("#bundle", path)
    page.see(".summary.good", "platform-integ-apps 1.0-9 is available")
    page.until(lambda _: page.run("return document.querySelector('.uploader [name=app]').value") == "", "empty fields")
