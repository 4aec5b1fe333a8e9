"""Wiring: who handles what, who works; drivers are whatever is installed (drivers/registry.py)."""

from functools import partial

from services.deployer.alive.asking import Asking
from services.deployer.alive.checks import Checks
from services.deployer.alive.keeping import no_checks
from services.deployer.automatic.audit import Audit
from services.deployer.automatic.fulfilling import fulfil
from services.deployer.automatic.handlers import handlers_of
from services.deployer.automatic.looking import Look
from services.deployer.deletion.handlers import tell_uses
from services.deployer.drivers.content import Pace
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.engine.facts import report_host, report_key, tell_unneeded
from services.deployer.engine.leases import Leases
from services.deployer.engine.planner import Planner
from services.deployer.engine.runner import Runner
from services.deployer.handlers import handlers
from services.deployer.prestage.sharing import share_pace
from services.deployer.pruning import prunings
from services.deployer.secrets.opening import SecretOpener
from services.deployer.settings import DeployerSettings
from services.deployer.site_runs.running import go_on
from services.deployer.waiting.looking_after import look_after
from shared.components import specs
from shared.process.service import Service
from shared.sealing import KeyPair

TOPICS = ("deployer.commands", "catalog.events", "strategy.events")


async def wire(service: Service) -> None:
    """Fill the service with the deployer's handlers, its runner, and what its drivers do beside their orders."""
    settings = service.settings
    registry = DriverRegistry.installed(settings)
    specs()  # what cannot be used is told now, and not with the first operation
    own = DeployerSettings()
    keys = KeyPair.of(settings.home, "deployer")
    secrets = SecretOpener(service.pool, keys)
    leases = Leases(service.ledger, settings.instance, settings.lease_seconds, own.at_once)
    checks = _checks(service, own, Asking(registry, secrets))
    planner = Planner(registry, secrets, own.prestaged_keep)
    look = Look(service.pool, registry, planner, secrets)
    service.handlers = handlers(planner, leases, keys, checks.wanted if checks else None)
    service.handlers = {**service.handlers, **handlers_of(own.failed_at)}
    service.topics = TOPICS
    service.prunings = prunings(settings, own)
    service.parts += [
        Runner(service.ledger, registry, own, leases, secrets).run,
        *(driver.tend for driver in registry.tended),
        partial(report_host, service.ledger, settings.instance, registry.names),
        partial(report_key, service.ledger, keys),
        partial(look_after, service.ledger),
        partial(go_on, service.ledger, leases),
        partial(fulfil, service.ledger, leases, own),
        Audit(service.ledger, look, own, settings.instance, settings.lease_seconds).run,
        partial(share_pace, service.ledger, Pace.of_process(), settings.lease_seconds),
        partial(tell_unneeded, service.ledger, own.unneeded_seconds),
        partial(tell_uses, service.ledger, own.deletion_seconds),
        checks.run if checks else partial(no_checks, service.ledger),
    ]


def _checks(service: Service, own: DeployerSettings, asking: Asking) -> Checks | None:
    """What asks sites whether they answer; None where nothing does."""
    if not own.check_seconds:
        return None
    of_all = service.settings
    return Checks(service.ledger, asking, of_all.instance, own.check_seconds, own.check_at_once, of_all.lease_seconds)
