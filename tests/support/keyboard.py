"""A person who has a keyboard alone: what Tab leads to, in which order, and whether it can be seen there."""

from collections.abc import Callable
from typing import Any

from tests.support.browser import Page

# What takes the focus by Tab, in the order of the page: of some that are one choice the chosen one alone.
EXPECTED = """
const takes = "a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex='0']";
const apart = (one) => one.type !== "radio" || one.checked;
window.tabbed = [...document.querySelectorAll(takes)].filter((one) => one.checkVisibility() && apart(one));
tabbed[0].focus();
return tabbed.map((one) => (one.getAttribute("aria-label") ?? one.name ?? "") + " " + one.textContent.slice(0, 40));
"""
# Where the focus is, and what is wrong with how it is shown. A hidden control shows it on what it is drawn as.
HERE = """
const one = document.activeElement;
const drawn = getComputedStyle(one).opacity === "0" || one.matches(".unseen") ? one.nextElementSibling : one;
const styles = [getComputedStyle(drawn), getComputedStyle(one, "::after")];
const marked = styles.some(({outlineStyle, outlineWidth}) => outlineStyle !== "none" && outlineWidth !== "0px");
const box = drawn.getBoundingClientRect();
const within = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
const below = Math.min(box.top + Math.min(box.height / 2, 20), innerHeight - 1);
const above = document.elementFromPoint(Math.min(box.left + box.width / 2, innerWidth - 1), below);
const open = above === null || drawn.contains(above) || above.contains(drawn);
return [tabbed.indexOf(one), [!marked && "is not marked", !within && "is out of sight", !open && "is covered"]
    .filter(Boolean)];
"""
PARTS = 9  # of a field for a date and a time, which Tab goes through one by one
TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}


def focused(page: Page) -> str:
    """What has the focus says, or what it is."""
    said: str = page.run("const one = document.activeElement; return one.innerText.slice(0, 80) || one.tagName")
    return said


def until_focused(page: Page, text: str) -> None:
    """Until what says this has the focus."""
    page.until(lambda _: focused(page) == text, f"the focus on {text!r}, not on {focused(page)!r}")


def press(page: Page, key: str) -> None:
    """A key, wherever the focus is."""
    page.driver.switch_to.active_element.send_keys(key)


def drawn_anew(page: Page, css: str, act: Callable[[], Any]) -> None:
    """Do something, and wait until this was put away for its successor."""
    page.run("window.before = document.querySelector(arguments[0])", css)
    act()
    page.until(lambda _: page.run("return !before.isConnected"), "the view to be drawn anew")


def tab_through(page: Page) -> list[str]:
    """Go through all of it with Tab; each fault that is met."""
    names = page.run(EXPECTED)
    faults = []
    for nth, name in enumerate(names):
        at, wrong = page.run(HERE)
        for _ in range(PARTS):
            if at != nth - 1:
                break
            for kind in ("rawKeyDown", "keyUp"):
                page.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, **TAB})
            at, wrong = page.run(HERE)
        if at != nth:
            return [*faults, f"Tab leads to {names[at] if at >= 0 else focused(page)!r}, not to {name!r}"]
        faults += [f"{name} {fault}" for fault in wrong]
    return faults
