"""Whether a site may be sent content now, with what it says itself. Pure."""

from collections.abc import Sequence

from services.deployer.domain import Operation, hindrances
from services.deployer.drivers import Broken, Item, Reached
from services.deployer.plan import Ground
from services.deployer.prestage.planning import Can, lying, missing_bytes, size
from shared.messages.deployer import Cause


def cause_against(operation: Operation, ground: Ground) -> Cause | None:
    """What is known of the site without asking it, and forbids the prestage by now."""
    return next(iter(hindrances(ground.site, force=operation.force)), None)


KEPT_CODES = ("unknown_secret", "unreadable_secret", "bad_connection")
"""Why a site could not even be asked; no word on whether it is online."""


def judged(operation: Operation, ground: Ground, can: Can, answer: Reached | Broken | None) -> tuple[Cause | None, str]:
    """What the site's answer forbids, and its platform. A site that nobody can ask counts as online."""
    if isinstance(answer, Broken):
        return _unreached(ground.site.name, answer), ""
    platform = (answer.facts if answer else {}).get("platform", "")
    items = wanted(operation, ground, can)
    mismatch = wrong_platform(ground.site.name, items, platform)
    fitting = [item for item in items if not platform or item.platform in (None, platform)]
    return mismatch or too_full(ground, fitting, answer.free_bytes if answer else None), platform


def wanted(operation: Operation, ground: Ground, can: Can) -> list[Item]:
    """What is to lie on the site, for every platform."""
    version = operation.to_version or ""
    drivers = {name: component.driver for name, component in ground.contents[version].components.items()}
    return [i for i in ground.prepared[version].items if i.component in drivers and can(drivers[i.component], "fetch")]


def _unreached(site: str, broken: Broken) -> Cause:
    if broken.code in KEPT_CODES:
        return Cause(code=broken.code, message=broken.message[:2_000])
    return Cause(code="site_offline", message=f"'{site}' cannot be reached ({broken.code}): {broken.message}"[:2_000])


def too_full(ground: Ground, items: Sequence[Item], free_bytes: int | None) -> Cause | None:
    """When the site has less room than what is missing takes."""
    missing = missing_bytes(items, lying(ground))
    if free_bytes is None or free_bytes >= missing:
        return None
    message = f"'{ground.site.name}' has {size(free_bytes)} free, and {size(missing)} are missing there"
    return Cause(code="disk_full", message=message)


def wrong_platform(site: str, items: Sequence[Item], platform: str) -> Cause | None:
    """When an image was prepared, but not for the platform of the site."""
    for_platforms: dict[tuple[str, str], set[str]] = {}
    for item in items:
        if item.platform:
            for_platforms.setdefault((item.component, item.name), set()).add(item.platform)
    lacking = {name: sorted(found) for (_, name), found in for_platforms.items() if platform and platform not in found}
    if not lacking:
        return None
    told = "; ".join(f"{name} for {', '.join(found)}" for name, found in sorted(lacking.items()))
    return Cause(code="platform_mismatch", message=f"'{site}' is {platform}, and there is {told}"[:2_000])
