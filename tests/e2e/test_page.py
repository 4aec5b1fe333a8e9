"""The page in a real browser, against the whole system with simulated sites."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from selenium.webdriver.common.keys import Keys

from services.cli.client import ProblemError
from shared.process.runs import Runs, path_of
from tests.support.browser import Page
from tests.support.system import System, running

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

APP = "lamp"
SITES = tuple(f"oslo-{number:02}" for number in range(12))
FIRST, SECOND, THIRD, FOURTH = "1.0.0", "2.0.0", "3.0.0", "4.0.0"
SLOW = (0.5, 1.5)
ENDED = {"complete", "failed", "aborted"}


@pytest.fixture(scope="module")
def belay(browser: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Twelve sites and two releases; the third is for the page to upload. No browser, no need to start it."""
    with running(tmp_path_factory.mktemp("belay")) as system, system.client() as client:
        system.register(*SITES)
        for version in (FIRST, SECOND):
            client.upload(system.bundle(APP, version, SLOW))
        yield system


@pytest.fixture
def page(page: Page, belay: System) -> Iterator[Page]:
    """As every test finds it; afterwards nobody is logged in, and the console must be clean."""
    yield page
    page.run("sessionStorage.clear(); localStorage.clear()")
    put_down(page, belay)


def test_a_token_in_the_link_logs_in_and_leaves_the_address(page: Page, belay: System) -> None:
    page.see("h1", "Strategies")
    assert belay.token not in page.driver.current_url
    page.press("[aria-label^='Log out']")
    page.see("#token").send_keys("wrong" + Keys.ENTER)
    page.see("[role=alert]", "not known")
    page.see("#token").send_keys(Keys.CONTROL + "a")
    page.see("#token").send_keys(belay.token + Keys.ENTER)
    page.see(".me", "admin")


def test_a_roll_out_from_upload_to_complete_moves_without_a_reload(page: Page, belay: System) -> None:
    upload(page, belay, THIRD)
    page.run("window.sameDocument = true")
    plan(page, "first-light", THIRD)
    page.fill("max_parallel", "1")  # slow enough to be paused by a slow browser
    page.press(".chip", "Canary, then all")
    page.fill("stage-soak", "0")
    page.press("[type=submit]")

    page.see(".title-row .badge", "ready")
    page.see("h1", "first-light")
    assert page.figure("waiting") == len(SITES)
    before = page.picture(".board-row:nth-child(2) canvas")
    page.press("#do-run", "Apply")
    page.until(lambda _: page.figure("complete") >= 2, "two sites complete")
    assert page.picture(".board-row:nth-child(2) canvas") != before
    page.see(".outlook", "Recent failures")  # what the monitor foresees of the stage that runs

    page.see("#reason").send_keys("lunch")
    page.press("#do-run", "Pause")
    page.see(".title-row .badge", "paused")
    page.see(".lead", "lunch")
    page.until(lambda _: page.figure("running") == 0, "running sites to end")
    assert page.figure("waiting") > 0
    assert "Recent failures" not in page.text  # nothing is foreseen of a strategy that waits for a person
    page.press("#do-run", "Resume")

    page.see(".title-row .badge", "complete")
    page.until(lambda _: page.figure("complete") == len(SITES), "all sites complete")
    page.see(".timeline", "rest: complete")
    assert page.run("return window.sameDocument") is True
    assert page.complaints() == []


def test_a_strategy_waits_for_a_release_that_is_still_being_published_and_says_so(page: Page, belay: System) -> None:
    awaited = str(uuid4())
    page.run(f"location.hash = '#/new-strategy?publication={awaited}'")  # where the link beside an upload leads
    assert page.see("details[open] [name=publication]").get_attribute("value") == awaited
    apply_everywhere(page, "as-soon-as")
    page.press(".check", "Do sites again")
    page.fill("stage-soak", "0")
    page.press("[type=submit]")
    page.see(".title-row .badge", "waiting")
    page.see(".summary.busy", "nobody has begun to publish")
    page.see(".heading .muted", "a release that is being published")
    page.press("#do-run", "Apply")
    page.see(".toast")
    with belay.client() as client:
        client.upload(belay.bundle(APP, FOURTH), key=awaited)
    page.see(".title-row .badge", "complete")
    page.see(".heading .muted", f"to {FOURTH}")
    page.until(lambda _: page.figure("complete") == len(SITES), "all sites complete")
    assert not page.driver.find_elements("css selector", ".summary.busy")
    assert [line for line in page.complaints() if "/v1/publications/" not in line] == []  # 404: nobody had begun it


def test_a_site_of_the_board_is_reached_with_the_keyboard(page: Page, belay: System) -> None:
    done(belay, "by-hand", FIRST)
    open_strategy(page, "by-hand")
    page.until(lambda _: page.figure("complete") == len(SITES), "all sites complete")
    page.see("canvas").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    page.see(".inspector h2", SITES[2])
    page.press(".inspector a", "Plan, phases and last lines")
    page.see("h1", SITES[2])
    page.see(".badge", "succeeded")
    assert page.complaints() == []


def test_a_refused_strategy_shows_each_fault_beside_its_field(page: Page) -> None:
    plan(page, "Not A Name", SECOND)
    page.fill("max_parallel", "5001")
    page.fill("stage-soak", "-1")
    page.press("[type=submit]")
    page.see(".summary", "3 things must be put right")
    assert "must be 1 to 100" in fault_of(page, "name")
    assert "from 1 to 5000" in fault_of(page, "max_parallel")
    assert "0" in fault_of(page, "stages.0.soak_seconds")

    page.fill("name", "nowhere")
    page.fill("max_parallel", "2")
    page.fill("stage-soak", "0")
    page.press(".check", "The whole fleet")
    page.fill("sites", "atlantis, el-dorado")
    page.press("[type=submit]")
    page.see(".summary", "2 things must be put right")
    assert "atlantis" in fault_of(page, "selection.sites")
    assert "el-dorado" in fault_of(page, "selection.sites")
    assert fault_of(page, "max_parallel") == ""


def test_a_refused_bundle_shows_every_reason(page: Page, belay: System) -> None:
    page.press("nav a", "Releases")
    broken = belay.bundle("Not A Name", "not a version")
    page.see(".drop")
    page.choose_file("#bundle", broken)
    page.see(".summary", "rejected")
    assert "app" in page.see(".faults").text
    assert "version" in page.see(".faults").text


def test_what_is_no_bundle_is_refused_at_once_and_leaves_the_page_usable(page: Page, tmp_path: Path) -> None:
    notes = tmp_path / "notes.tar.gz"
    notes.write_text("not a bundle at all")
    page.press("nav a", "Releases")
    page.see(".drop")
    page.choose_file("#bundle", notes)
    page.see(".outcome", "not compressed with gzip")


def test_the_system_shows_the_hosts_and_the_space_of_the_bundles(page: Page) -> None:
    page.press("nav a", "System")
    page.see("table[aria-label=Hosts], table", "CPython")
    page.see(".facts", "Largest bundle taken")


def test_an_abort_asks_first_and_takes_a_reason(page: Page, belay: System) -> None:
    ready(belay, "never-mind", SECOND)
    open_strategy(page, "never-mind")
    page.press("#do-abort")
    page.press("dialog button", "Cancel")
    page.see(".title-row .badge", "ready")
    page.press("#do-abort")
    page.see("#confirm-reason").send_keys("wrong release")
    page.press("dialog button", "Abort")
    page.see(".title-row .badge", "aborted")
    page.see(".lead", "wrong release")


def test_undo_is_offered_first_and_plans_the_way_back_before_anything_is_done(page: Page, belay: System) -> None:
    for name, version in (("before", FIRST), ("up", SECOND)):
        done(belay, name, version)
        page.until(lambda _, name=name: state_of(belay, name) in ENDED, f"{name} to end")
    open_strategy(page, "up")
    assert page.see(".actions button:not([hidden])").get_attribute("id") == "do-undo"
    page.press("#do-undo")
    page.press("dialog button", "Plan the way back")
    page.see("h1", "undo-up")
    page.see(".strategy-top", f"Undo {APP} to {FIRST} ({len(SITES)} sites)")
    page.see(".title-row .badge", "ready")
    page.press("#do-run", "Apply")
    page.see(".title-row .badge", "complete")
    page.see(".lead", f"all {len(SITES)} sites are done")


def state_of(belay: System, name: str) -> str:
    with belay.client() as client:
        return str(client.get(f"/v1/strategies/{name}")["state"])


def test_a_viewer_sees_all_and_can_press_nothing(page: Page, belay: System) -> None:
    ready(belay, "look-only", SECOND)
    with belay.client() as client:
        viewer = client.command("POST", "/v1/tokens", {"name": "guest", "role": "viewer"})["token"]
    page.go(f"{belay.url}/#token={viewer}")
    open_strategy(page, "look-only")
    for button in ("#do-abort", "#do-delete"):
        assert page.see(button).get_attribute("aria-disabled") == "true"
        assert "viewer" in str(page.see(button).get_attribute("title"))
    page.press("#do-delete")
    page.see(".toast.bad", "This needs the role operator; you are viewer.")
    assert not page.driver.find_elements("css selector", "dialog")


def test_what_is_wrong_with_belay_itself_stands_above_its_services_with_cause_and_advice(
    page: Page, belay: System
) -> None:
    for _ in range(3):  # of a replica that never comes so far as to answer
        runs = Runs(belay.home.root, "catalog", "7")
        runs.begin()
        runs.end("MemoryError: no more (store.py:7)")
    try:
        page.run("location.hash = '#/system'")
        page.see(".troubles li", "catalog-7 ended by itself 3 times")
        page.see(".troubles li", "each time: MemoryError: no more (store.py:7)")
        page.see(".troubles li", "What to do: read its log")
        page.see("td", "it has not come so far as to answer")
    finally:
        path_of(belay.home.root, "catalog", "7").unlink()
    page.press("main button", "Refresh")
    page.until(lambda driver: not driver.find_elements("css selector", ".troubles"), "no troubles any more")


def test_a_secret_is_set_and_set_again_and_removed_and_never_shown(page: Page, belay: System) -> None:
    page.run("location.hash = '#/secrets'")
    page.see(".empty", "No secret")
    page.fill("name", "oslo-password")
    for version in ("1", "2"):
        page.fill("value", f"correct horse {version}")
        page.press("[type=submit]")
        page.see("td[data-head=Version]", version)
        assert page.run("return document.querySelector('[name=value]').value") == ""
        page.press("td button", "Set again")
    page.press("td .danger", "Remove")
    page.press("dialog .danger", "Remove it")
    page.see(".empty", "No secret")
    with belay.client() as client:
        assert client.get("/v1/secrets")["items"] == []
    assert page.complaints() == []


def test_a_site_shows_whether_it_answers_and_what_is_wrong_with_it(page: Page, belay: System) -> None:
    site = "aside"  # the others are for roll-outs
    belay.register(site)
    page.run(f"location.hash = '#/sites/{site}'")
    page.see(".facts .badge", "online")
    page.press("summary", "Raise an alarm")
    page.fill("alarm", "fan")
    page.press("details button[type=submit]", "Raise it")
    page.see("td[data-head=Alarm]", "fan")
    page.see("td[data-head=Severity] .badge", "major")
    page.press(".actions button", "Into maintenance")
    page.see(".facts dd", "yes: nothing is begun there")
    with belay.client() as client:
        online = {"selection": {"sites": [site]}, "connections": {"simulated": {"online": False}}}
        client.command("PATCH", "/v1/sites", online)
    page.see(".facts dd", "the device does not answer")
    page.press("main button", "Check now")
    page.see(".facts .badge", "offline")
    page.run("location.hash = '#/sites?availability=offline&maintenance=true&alarms=true'")
    page.see("td[data-head=State] .badge", "offline")
    page.see("td[data-head=State] .flag", "1 alarm")
    page.run(f"location.hash = '#/sites/{site}'")
    page.press("td button", "Clear")
    page.see("p.muted", "Nothing is wrong with it.")
    assert page.complaints() == []
    page.run("location.hash = '#/sites'")
    with belay.client() as client:
        client.command("DELETE", f"/v1/sites/{site}")


def test_dark_follows_the_system_until_a_person_chooses(page: Page) -> None:
    assert brightness(page) > 200
    page.prefer("dark")
    assert brightness(page) < 60
    page.press("#theme")
    assert brightness(page) > 200
    page.driver.refresh()
    page.see("h1", "Strategies")
    assert brightness(page) > 200


def test_the_page_says_that_it_reconnects_and_then_shows_what_it_missed(page: Page, belay: System) -> None:
    ready(belay, "through-it", SECOND)
    open_strategy(page, "through-it")
    page.press("#do-run", "Apply")
    page.until(lambda _: page.figure("complete") >= 1, "one site complete")
    belay.kill("gateway-1")
    page.see(".connection", "Reconnecting")
    page.until(lambda _: page.see(".connection").text == "Live", "the stream to come back", patience=40)
    page.until(lambda _: page.figure("complete") == len(SITES), "all sites complete", patience=40)
    page.see(".title-row .badge", "complete")


def test_an_app_is_deployed_set_otherwise_and_switched_by_forms_alone(page: Page) -> None:
    site = "harbour"  # last of all tests: it stays
    page.run("location.hash = '#/sites'")
    page.press("summary", "Make a group")
    page.fill("name", "dock")
    page.press("details[open] [type=submit]")
    page.see("td[data-head=Group]", "dock")
    page.press("summary", "Add a site")
    page.fill("name", site)
    page.see("details[open] [name=group]").send_keys("dock")
    page.fill("connections", "{simulated}")
    page.press("details[open] [type=submit]")
    page.see(".fault", "is not JSON")
    page.fill("connections", '{"simulated": {}}')
    page.press("details[open] [type=submit]")
    page.see("td[data-head=Site]", site)

    page.run(f"location.hash = '#/new-operation?site={site}'")
    page.press(".segmented label", "Apply")
    page.fill("app", APP)
    page.fill("version", FIRST)
    page.press("summary", "More")
    page.fill("recover", "never")
    page.press("[type=submit]", "Run it")
    page.see(".facts .badge", "succeeded")

    page.run(f"location.hash = '#/overrides/{APP}/web?site={site}'")
    page.fill("enabled", "off")
    page.press("[type=submit]", "Set")
    page.run(f"location.hash = '#/deployments/{site}/{APP}'")
    page.see(".summary.mild", "Something else is set for it now")
    page.see("td[data-head=From]", "site")
    page.see("button", "Reapply")

    page.run(f"location.hash = '#/apps/{APP}'")
    page.press("summary", "Change what is done by itself")
    page.fill("auto_update", "false")
    page.fill("forbidden", "remov")
    page.press("details[open] [type=submit]")
    page.see("[data-path='switches.forbidden'] .fault", "remove")
    page.fill("forbidden", "remove")
    page.press("details[open] [type=submit]")
    page.see(".facts dd", "remove")
    page.press("button", "Clear")
    page.press("dialog .danger", "Clear it")
    page.see("p.muted", "Nothing is set over the values")
    for view in ("deployments", "alarms", "groups/dock"):
        page.run(f"location.hash = '#/{view}'")
        page.see("h1")
    assert [line for line in page.complaints() if "422" not in line] == []  # what was refused on purpose


def upload(page: Page, belay: System, version: str) -> None:
    page.press("nav a", "Releases")
    page.see(".drop")
    page.choose_file("#bundle", belay.bundle(APP, version, SLOW))
    page.see(".summary.good", f"{APP} {version} is available")


def plan(page: Page, name: str, version: str) -> None:
    """Fill the form for a strategy over the whole fleet, four sites at once."""
    page.press("nav a", "Strategies")
    page.press(".button.primary", "New strategy")
    apply_everywhere(page, name)
    page.fill("version", version)
    page.fill("max_parallel", "4")


def apply_everywhere(page: Page, name: str) -> None:
    page.fill("app", APP)
    page.fill("name", name)
    page.press(".segmented label", "Apply")
    page.press(".check", "The whole fleet")


def ready(belay: System, name: str, version: str) -> None:
    """Plan a strategy over the whole fleet, not through the page."""
    selection = {"all": True}
    with belay.client() as client:
        spec = {"name": name, "type": "apply", "app": APP, "version": version, "selection": selection, "force": True}
        client.command("POST", "/v1/strategies", {**spec, "max_parallel": 4})


def put_down(browser: Page, belay: System) -> None:
    """End what a test that failed has left: it holds the sites that the next test needs."""
    with belay.client() as client:

        def left() -> list[str]:
            rows = client.get("/v1/strategies?limit=100")["items"]
            return [row["name"] for row in rows if row["state"] not in ENDED]

        for name in left():
            with suppress(ProblemError):  # it is ending already
                client.command("POST", f"/v1/strategies/{name}/abort", {})
        browser.until(lambda _: not left(), "every strategy to end")


def done(belay: System, name: str, version: str) -> None:
    ready(belay, name, version)
    with belay.client() as client:
        client.command("POST", f"/v1/strategies/{name}/apply", {})


def open_strategy(page: Page, name: str) -> None:
    page.press(".strategy a", name)
    page.see("h1", name)


def fault_of(page: Page, path: str) -> str:
    text: str = page.run("return document.querySelector(`[data-path='${arguments[0]}'] > .fault`).innerText", path)
    return text


def brightness(page: Page) -> float:
    colour = page.run("return getComputedStyle(document.body).backgroundColor")
    parts = [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(parts) / 3
