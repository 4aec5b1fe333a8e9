"""What an operator needs at night: from a strategy that stopped to the last lines, a webhook that is mended, and every
view by keyboard alone, light and dark, on a wide screen and on a telephone."""

import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from services.cli.client import Client, ProblemError
from tests.support import axe
from tests.support.browser import Page
from tests.support.bundles import bundle
from tests.support.keyboard import drawn_anew, press, tab_through, until_focused
from tests.support.system import System, running

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

MANIFEST = """
app: lamp
version: 1.0.0
components:
  - {name: web, driver: simulated, sites: {oslo-3: fail}}
"""


MAIN = Path(__file__).parents[2] / "services" / "web" / "main.js"


class Chat(BaseHTTPRequestHandler):
    """A chat that takes nothing until it is told to."""

    takes = False
    got: list[bytes] = []  # noqa: RUF012 - of the class on purpose: each request is another object

    def do_POST(self) -> None:
        Chat.got.append(self.rfile.read(int(self.headers["Content-Length"])))
        answer = b"ok" if Chat.takes else b"invalid_blocks"
        self.send_response(200 if Chat.takes else 400)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def chat() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def belay(browser: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A roll-out to six sites of which one has failed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BELAY_NOTIFIER_ALLOW_PRIVATE_TARGETS", "true")
        patch.setenv("BELAY_NOTIFIER_RETRY_WAITS", "[0.1]")
        with running(tmp_path_factory.mktemp("belay")) as system, system.client() as client:
            system.register(*(f"oslo-{number}" for number in range(6)))
            client.command("POST", "/v1/groups", {"name": "harbour"})
            path = Path(system.home.root) / "lamp.tar.gz"
            path.write_bytes(bundle({"bundle.yaml": MANIFEST.encode()}))
            client.upload(path)
            spec = {"name": "night", "type": "apply", "app": "lamp", "version": "1.0.0", "selection": {"all": True}}
            _until_taken(client, spec)
            client.command("POST", "/v1/strategies/night/apply", {})
            yield system


def _until_taken(client: Client, spec: dict[str, Any]) -> None:
    """The orchestrator hears of a release a moment after the catalog took it."""
    until = time.monotonic() + 30
    while True:
        try:
            client.command("POST", "/v1/strategies", spec)
            return
        except ProblemError as error:
            if error.code != "unknown_app" or time.monotonic() > until:
                raise
        time.sleep(0.2)


def test_one_click_leads_from_a_failed_site_to_its_last_lines_and_one_more_to_the_operation(page: Page) -> None:
    page.press("a", "night")
    page.until(lambda _: page.figure("failed") == 1, "one site failed")
    page.press("[data-name=list]")
    page.press(".link", "oslo-3")
    said = page.see(".inspector .last-lines").text
    assert said.startswith("web: ")
    page.press(".inspector a", "Plan, phases and last lines")
    page.see("h1", "oslo-3")
    assert page.see(".last-lines").text == said
    page.press("nav a", "Notifications")
    page.press(".notices a", "oslo-3")
    page.see(".last-lines", said)
    page.see("table", "recover_remove")
    assert page.complaints() == []


def test_each_phase_of_a_failed_operation_tells_when_it_began_and_how_long_it_took(page: Page, belay: System) -> None:
    with belay.client() as client:
        (failed,) = client.get("/v1/operations", state="failed")["items"]
    page.run("location.hash = arguments[0]", f"#/operations/{failed['operation_id']}")
    page.see("td[data-head=Phase]", "deploy")
    for head in ("Began", "Took"):
        told = page.driver.find_elements("css selector", f"td[data-head={head}]")
        assert len(told) == len(failed["phases"])
        assert all(any(map(str.isdigit, cell.text)) for cell in told)


def test_a_webhook_is_added_tried_found_dead_and_brought_back_on_the_page(page: Page, belay: System, chat: str) -> None:
    page.press("nav a", "Notifications")
    page.press(".actions a", "Webhooks")
    page.press("a", "Webhook")
    page.fill("name", "Not A Name")
    page.fill("url", chat)
    page.press(".segmented label", "Own template")
    page.see("textarea")
    page.run("document.querySelector('textarea').value = '{\"text\": \"{{ mesage }}\"}'")
    page.press("[type=submit]")
    page.see(".field[data-path=name] .fault", "must be 1 to 100")
    page.fill("name", "chat")
    page.press("[type=submit]")
    page.see(".field[data-path=template] .fault", "text: there is no 'mesage'")
    page.press(".segmented label", "Slack")
    page.press("[type=submit]")
    page.see("h1", "chat")

    page.press("button", "Send a test")
    page.see(".toast.bad", "the target answered 400: invalid_blocks")
    page.see("td", "Test call")
    with belay.client() as client:
        client.command("POST", "/v1/operations", {"site": "oslo-1", "app": "lamp", "kind": "remove"})
    page.see(".summary", "Nothing is delivered to it any more")
    Chat.takes = True
    page.press("button", "Enable")
    page.press("button", "Deliver what it missed")
    page.see("tr", "delivered")
    page.press("nav a", "Notifications")
    page.see("li", "The webhook chat is dead")
    assert b"blocks" in Chat.got[-1]
    assert [line for line in page.complaints() if "422" not in line] == []  # what was refused on purpose


def test_a_filter_that_names_nothing_is_said_in_place_of_the_list(page: Page) -> None:
    page.press("nav a", "Operations")
    page.see("td", "oslo-3")
    page.fill("site", "nope")
    page.see(".empty", "there is no site 'nope'")
    page.fill("site", "oslo-3")
    page.see("td", "oslo-3")
    assert [line for line in page.complaints() if "422" not in line] == []


def test_the_labels_of_a_site_are_changed_line_by_line_whatever_is_in_them(page: Page, belay: System) -> None:
    with belay.client() as client:
        client.command("PATCH", "/v1/sites/oslo-2", {"labels": {"place": "row 7, left", "tier": "edge"}})
        page.press("nav a", "Sites")
        page.press("td a", "oslo-2")
        page.press("summary", "Change")
        assert page.see("[name=labels]").get_attribute("value") == "tier=edge\nplace=row 7, left"
        page.fill("labels", "place=row 7, right\nnote=a=b, c")
        client.command("PATCH", "/v1/sites/oslo-2", {"simplex": True})  # news of the site while somebody writes
        page.press("button", "Save")
        page.see(".chips", "place=row 7, right")
        found = client.get("/v1/sites/oslo-2")
    assert (found["labels"], found["simplex"]) == ({"place": "row 7, right", "note": "a=b, c"}, True)
    assert page.complaints() == []


def test_a_strategy_that_stopped_says_what_happened_what_is_safe_and_what_to_do_next(page: Page) -> None:
    page.press("a", "night")
    told = page.see(".aftermath", "1 site failed: oslo-3").text
    assert "Of the others: " in told
    assert "Retry failed tries these sites again." in told
    page.press(".aftermath button", "oslo-3")
    page.see(".inspector .last-lines")


def test_news_leaves_the_focus_where_it_is_and_so_does_what_is_pressed(page: Page, belay: System) -> None:
    page.press("nav a", "Sites")
    page.run("arguments[0].focus()", page.see("td a", "oslo-4"))
    with belay.client() as client:
        drawn_anew(page, "td a", lambda: client.command("PATCH", "/v1/sites/oslo-4", {"labels": {"tier": "gold"}}))
    until_focused(page, "oslo-4")
    page.see("td a", "oslo-4").send_keys(Keys.ENTER)
    page.see("h1", "oslo-4")
    until_focused(page, "oslo-4")  # the title, not what was pressed in another view
    button = page.see(".actions button", "Into maintenance")
    drawn_anew(page, ".facts", lambda: button.send_keys(Keys.ENTER))
    until_focused(page, "Out of maintenance")
    page.see(".actions button", "Forget it").send_keys(Keys.ENTER)
    page.see("dialog")
    with belay.client() as client:
        drawn_anew(page, ".facts", lambda: client.command("PATCH", "/v1/sites/oslo-4", {"maintenance": False}))
    press(page, Keys.ESCAPE)
    page.until(lambda driver: not driver.find_elements("css selector", "dialog"), "the dialog to be closed")
    until_focused(page, "Forget it")
    assert page.complaints() == []


def test_with_the_keyboard_one_goes_from_a_cell_into_what_is_known_of_its_site_and_back(page: Page) -> None:
    page.press("a", "night")
    page.until(lambda _: page.figure("failed") == 1, "the sites to be counted")
    page.see("canvas").send_keys(Keys.HOME, Keys.ENTER, Keys.ENTER)
    until_focused(page, "oslo-0")
    press(page, Keys.ESCAPE)
    assert page.run("return document.activeElement.tagName") == "CANVAS"
    page.run("document.querySelector('.skip').focus()")
    press(page, Keys.ENTER)
    assert page.run("return document.activeElement.id") == "main"
    page.see("h1", "night")  # it is no address of a view


def test_who_has_to_log_in_again_finds_what_was_being_written(page: Page, belay: System) -> None:
    with belay.client() as client:
        token = client.command("POST", "/v1/tokens", {"name": "watch", "role": "operator"})
        page.go(f"{belay.url}/#token={token['token']}")
        page.press(".button.primary", "New strategy")
        page.fill("name", "half-written")
        client.command("DELETE", f"/v1/tokens/{token['id']}")
        # The page may have been told already, and hidden what was being written.
        page.run("document.querySelector('main [type=submit]').click()")
        page.see("[role=alert]", "The token is no longer valid")
        assert not page.driver.find_element("css selector", "main").is_displayed()
        again = client.command("POST", "/v1/tokens", {"name": "watch", "role": "operator"})
    page.see("#token").send_keys(again["token"] + Keys.ENTER)
    page.see(".connection", "Live")
    assert page.see("[name=name]").get_attribute("value") == "half-written"


def test_every_view_can_be_read_by_everybody_light_and_dark_wide_and_narrow(page: Page, addresses: list[str]) -> None:
    faults = {}
    for scheme, width in (("light", 1400), ("dark", 390)):
        page.prefer(scheme)
        page.width(width)
        for address in addresses:
            show(page, address)
            found = axe.faults(page)
            if page.run("return document.documentElement.scrollWidth > innerWidth"):
                found.append("it is wider than the screen")
            faults[f"{address}, {scheme}, {width}"] = found
    page.width(1400)
    assert {view: found for view, found in faults.items() if found} == {}


def test_every_action_of_every_view_is_reached_and_seen_with_the_keyboard(page: Page, addresses: list[str]) -> None:
    faults = {}
    for address in addresses:
        show(page, address)
        faults[address] = tab_through(page)
    assert {view: found for view, found in faults.items() if found} == {}


@pytest.fixture(scope="module")
def addresses(belay: System) -> list[str]:
    """One of every view that the page has, with something to be seen there."""
    with belay.client() as client:
        run = client.command("POST", "/v1/sites/oslo-4/run-all", {"kind": "update"})
        client.command("PUT", "/v1/sites/oslo-5/alarms/fan", {"severity": "major", "text": "loud"})
        client.command("PUT", "/v1/secrets/oslo-password", {"value": "correct horse"})
        night, operation, release = (
            client.get(f"/v1/{what}", limit=1)["items"][0] for what in ("strategies", "operations", "releases")
        )
    parts = {
        "/strategies/:id": [night["strategy_id"]],
        "/releases/:app/:version": ["lamp", "1.0.0"],
        "/apps/:app": ["lamp"],
        "/bundles/:sha256": [release["bundle_sha256"]],
        "/groups/:name": ["harbour"],
        "/sites/:name": ["oslo-5"],
        "/deployments/:site/:app": ["oslo-1", "lamp"],
        "/overrides/:app/:component": ["lamp", "web"],
        "/site-runs/:id": [run["command_id"]],
        "/operations/:id": [operation["operation_id"]],
        "/subscriptions/:name": ["chat"],
    }
    routes = re.findall(r'^  \["(/[^"]*)"', MAIN.read_text(), re.MULTILINE)
    return [re.sub(r":\w+", "{}", route).format(*parts[route] if ":" in route else ()) for route in routes]


def show(page: Page, address: str) -> None:
    """Go to a view, and wait until all of it is read."""
    page.run("location.hash = arguments[0]", f"#{address}")
    page.see("h1")
    busy = "main [aria-busy=true], main .skeleton"
    page.until(lambda driver: not driver.find_elements("css selector", busy), f"{address} to be read")
