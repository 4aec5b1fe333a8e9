"""The catalog, wired."""

from functools import partial

from services.catalog.deletion.handlers import FREEING
from services.catalog.handlers import HANDLERS
from services.catalog.preparation.handlers import PREPARATIONS
from services.catalog.preparation.pulling import Puller
from services.catalog.preparation.worker import PreparationMetrics, Preparer
from services.catalog.publication.handlers import IMPORTS, VALIDATIONS, Intake
from services.catalog.publication.importing import Importer
from services.catalog.settings import CatalogSettings
from services.catalog.storage import Storage
from services.catalog.validation import ValidationMetrics, Validator
from shared.blobs import Blobs
from shared.components import specs
from shared.core.scheduler import Worker
from shared.process.service import Service


async def wire(service: Service) -> None:
    """Give the service its handlers, its topics, and its workers: they validate, prepare and free."""
    settings, own = service.settings, CatalogSettings()
    specs()  # what cannot be used is told now, and not with the first bundle
    blobs = Blobs.open(settings)
    validator = Validator(service.ledger, blobs, own, ValidationMetrics(service.metrics.registry))
    worker = Worker(
        service.ledger,
        VALIDATIONS,
        validator.perform,
        owner=settings.instance,
        at_once=own.validations,
        lease_seconds=settings.lease_seconds,
    )
    puller = Puller(blobs, own.access, own.image_platforms)
    preparer = Preparer(service.ledger, blobs, puller, own, PreparationMetrics(service.metrics.registry))
    preparing = Worker(
        service.ledger,
        PREPARATIONS,
        preparer.perform,
        owner=settings.instance,
        at_once=own.preparations,
        lease_seconds=settings.lease_seconds,
    )
    storage = Storage(service.ledger, blobs, own, settings.max_bundle_bytes)
    freer = Worker(service.ledger, FREEING, storage.free, owner=settings.instance, lease_seconds=settings.lease_seconds)
    intake = Intake(blobs, settings.max_bundle_bytes, own.plain_sources)
    importer = Importer(service.ledger, intake, own)
    importing = Worker(
        service.ledger,
        IMPORTS,
        importer.perform,
        owner=settings.instance,
        at_once=own.imports,
        lease_seconds=settings.lease_seconds,
    )
    service.handlers = {kind: partial(handler, intake) for kind, handler in HANDLERS.items()}
    service.topics = ["catalog.commands", "deployer.facts"]
    service.parts = [worker.run, importing.run, preparing.run, freer.run, storage.watch, blobs.sweep_for_ever]
