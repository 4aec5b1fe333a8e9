"""A request at the door of sysinv: the app that it is about, and what is known there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from services.gateway.doors.call import Call as _Call
from services.gateway.doors.call import json_object
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import store
from services.gateway.doors.sysinv.mixture import during, mixed
from services.gateway.doors.sysinv.settings import SysinvSettings
from services.gateway.doors.sysinv.standing import Standing, standing_of
from services.gateway.doors.sysinv.strategy_names import strategy_of
from shared.process.db import snapshot

OWN: web.AppKey[SysinvSettings] = web.AppKey("sysinv", SysinvSettings)


@dataclass(frozen=True, slots=True)
class Call(_Call):
    """A request that was let in."""

    @property
    def own(self) -> SysinvSettings:
        """The settings of this door."""
        return self.request.app[OWN]

    async def body(self) -> dict[str, Any]:
        """The JSON object that was sent, {} for none. Raises Refused 400."""
        return json_object(await self.request.read())

    def query(self, name: str) -> str:
        """A parameter of the query. Raises Refused 400 where it is missing or given twice, as theirs does."""
        given = self.request.query.getall(name, [])
        if not given:
            raise Refused(400, f'Missing argument: "{name}"')
        if len(given) > 1:
            raise Refused(400, f"Parameter {name} was given several times")
        return given[0]

    async def apps(self, name: str | None = None) -> list[Standing]:
        """How apps stand where the door speaks for, by name; one of them only, if it is given."""
        async with snapshot(self.gateway.pool) as conn:
            sites = await self.sites_in(conn)
            known = await store.known(conn, self.door, sites, name)
            strategies = await store.strategies(conn, map(strategy_of, known)) if self.own.group else {}
        found = []
        for app, on_sites in known.items():
            standing = _together([one for each in on_sites if (one := standing_of(each))])
            row = strategies.get(strategy_of(app))
            standing = during(standing, dict(row)) if standing and row else standing
            found += [standing] if standing else []
        return found

    async def sites_in(self, conn: Any) -> list[str]:
        """The sites that the door speaks for."""
        if self.own.group is None:
            return [str(self.own.site)]
        return await store.sites_of_group(conn, self.own.group)

    async def app(self, name: str) -> Standing | None:
        """How one app stands; None = there is none."""
        found = await self.apps(name)
        return found[0] if found else None


def _together(standings: Sequence[Standing]) -> Standing | None:
    return mixed(standings) if standings else None
