"""The catalog, wired."""

from functools import partial

from services.catalog.handlers import HANDLERS, VALIDATIONS
from services.catalog.settings import CatalogSettings
from services.catalog.validation import Metrics, Validator
from shared.blobs import Blobs
from shared.clockwork import Worker
from shared.service import Service


async def wire(service: Service) -> None:
    """Give the service its handlers, its topic, and the worker that validates bundles."""
    settings, knobs = service.settings, CatalogSettings()
    blobs = Blobs.open(settings)
    validator = Validator(service.ledger, blobs, knobs, Metrics(service.metrics.registry))
    worker = Worker(
        service.ledger,
        VALIDATIONS,
        validator.perform,
        owner=settings.instance,
        at_once=knobs.validations,
        lease_seconds=settings.lease_seconds,
    )
    service.handlers = {kind: partial(handler, blobs) for kind, handler in HANDLERS.items()}
    service.topics = ["catalog.commands"]
    service.parts = [worker.run, blobs.sweep_for_ever]
