"""Whether a site may be sent content now, with what it says itself. Pure."""

from collections.abc import Mapping, Sequence

from services.deployer.domain import Operation, hindrances
from services.deployer.drivers import Broken, Item
from services.deployer.plan import Ground
from services.deployer.prestage.planning import lying, missing_bytes, size
from shared.messages.deployer import Cause


def cause_against(operation: Operation, ground: Ground) -> Cause | None:
    """What is known of the site without asking it, and forbids the prestage by now."""
    return next(iter(hindrances(ground.site, force=operation.force)), None)


def wanted_of(ground: Ground, version: str, driver: str, platform: str) -> Sequence[Item]:
    """What a driver is to send to the site."""
    content, prepared = ground.contents[version], ground.prepared[version]
    names = [name for name, component in content.components.items() if component.driver == driver]
    return [item for name in names for item in prepared.items_of(name, platform=platform)]


def offline(site: str, broken: Broken) -> Cause:
    """A site that could not be asked."""
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


def platform_of(facts: Mapping[str, str]) -> str:
    """As images name it, such as linux/amd64; empty where a site does not say."""
    return facts.get("platform", "")
