"""Examples of what the catalog is told and tells, and what those of others have in common with them."""

from datetime import UTC, datetime

from shared.messages import base, catalog, rules, words
from shared.messages.base import Fault, Message
from shared.messages.manifest import Component

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SIGNING_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
STRATEGY = "0b5c0d7e-6a0a-4d53-8f5a-2f7f3c1d9a10"
COMMAND = "3f1d2c6a-93b5-4b4e-9d0b-5a1e6a7c8b90"
FAULT = Fault(code="unknown_site", field="spec.selection.sites.0", message="there is no site 'oslo-9'", value="oslo-9")
PROCESS = Component(
    driver="process",
    name="web",
    after=("database",),
    spec={"requirements": "requirements.lock", "command": ["shop", "--port", "{port}"]},
)
DATABASE = Component(driver="process", name="database", spec={"requirements": "db.lock", "command": ["shop-db"]})


def accepted(kind: type[base.CommandAccepted], command_type: str, about: str) -> base.CommandAccepted:
    return kind(command_id=COMMAND, command_type=command_type, about=about, result={"strategy_id": STRATEGY})


def rejected(kind: type[base.CommandRejected], command_type: str, about: str) -> base.CommandRejected:
    return kind(command_id=COMMAND, command_type=command_type, about=about, code=FAULT.code, faults=(FAULT,))


CATALOG: tuple[Message, ...] = (
    catalog.PublishRelease(bundle_sha256=DIGEST, bundle_bytes=48_213, file_name="shop-2.0.0.tar.gz"),
    catalog.ImportBundle(source="https://files.example/shop-2.0.0.tar.gz", sha256=DIGEST),
    catalog.DeleteRelease(app="shop", version="2.0.0", reason="never used"),
    catalog.WithdrawRelease(app="shop", version="2.0.0", reason="leaks memory"),
    catalog.PrepareRelease(app="shop", version="2.0.0", on_behalf=f"{STRATEGY}/1"),
    accepted(catalog.CommandAccepted, catalog.PublishRelease.TYPE, DIGEST),
    rejected(catalog.CommandRejected, catalog.WithdrawRelease.TYPE, "shop"),
    catalog.ReleaseAvailable(
        release_id="shop-2.0.0",
        app="shop",
        version="2.0.0",
        scheme="semver",
        bundle_sha256=DIGEST,
        bundle_bytes=48_213,
        upgrades_from=(">=1.0.0",),
        components=(DATABASE, PROCESS),
        rules=rules.Rules(
            importance="storage",
            recover="never",
            timeout_seconds=1_800,
            site=rules.SiteRequirement(facts={"kubernetes": ">=1.24,<1.31"}, patches=("24.09.1",)),
            depends_on=(
                rules.Dependency(app="cert-manager", versions=">=1.0", action="apply"),
                rules.Alternatives(any_of=(rules.Dependency(app="ceph"), rules.Dependency(app="rook"))),
            ),
            excludes=(rules.Exclusion(app="shop-trial", action="warn"),),
            obsolete={"web": ("ingress.hosts",)},
            behaviour=rules.Behaviour(
                desired_state="deployed",
                reapply_on=(rules.Trigger(event="host-unlock", filters={"personality": "worker"}),),
                forbidden=(words.OperationKind.REMOVE,),
            ),
        ),
        images=("registry.example/shop/web:2.0.0",),
        notices=("metadata.yaml:3 helm_repo: charts are taken from the bundle itself",),
        published_at=AT,
    ),
    catalog.ReleaseRejected(bundle_sha256=DIGEST, file_name="shop.tar.gz", faults=(FAULT,)),
    catalog.BundleProgressed(publication=COMMAND, phase="fetch", done_bytes=16_777_216, total_bytes=52_428_800, at=AT),
    catalog.PublicationSettled(
        publication=COMMAND, state="available", bundle_sha256=DIGEST, app="shop", version="2.0.0"
    ),
    catalog.SetSigningKey(app="shop", name="release-2026", public_key=SIGNING_KEY, expires_at=AT),
    catalog.RemoveSigningKey(app="shop", name="release-2025"),
    catalog.SigningKeyChanged(app="shop", name="release-2026", public_key=SIGNING_KEY, expires_at=AT, by="ada", at=AT),
    catalog.SigningKeyRemoved(app="shop", name="release-2025", by="ada", at=AT),
    catalog.ReleaseDeleting(
        deletion=COMMAND, release_id="shop-2.0.0", app="shop", version="2.0.0", bundle_sha256=DIGEST
    ),
    catalog.ReleaseDeletionRefused(
        deletion=COMMAND,
        release_id="shop-2.0.0",
        app="shop",
        version="2.0.0",
        cause=base.Cause(code="release_needed", message="2 sites need it: oslo-1, oslo-2"),
    ),
    catalog.ReleaseDeleted(release_id="shop-2.0.0", app="shop", version="2.0.0", bundle_sha256=DIGEST),
    catalog.StorageMeasured(
        used_bytes=52_428_800,
        bundles=9,
        withdrawn_bytes=5_242_880,
        reclaimable_bytes=0,
        free_bytes=80_530_636_800,
        limit_bytes=1_073_741_824,
        measured_at=AT,
    ),
    catalog.ReleaseWithdrawn(release_id="shop-2.0.0", app="shop", version="2.0.0", reason="leaks memory"),
    catalog.PreparationBegun(app="shop", version="2.0.0", bundle_sha256=DIGEST, begun_at=AT),
    catalog.ReleasePrepared(
        app="shop",
        version="2.0.0",
        bundle_sha256=DIGEST,
        content=(
            catalog.ContentItem(component="web", kind="package", name="requirements.lock", sha256=DIGEST, bytes=412),
            catalog.ContentItem(
                component="cache",
                kind="image",
                name=f"registry.example:5000/cache@sha256:{DIGEST}",
                sha256=DIGEST,
                bytes=31_457_280,
                platform="linux/amd64",
            ),
        ),
        bytes=31_457_692,
        notes=(catalog.ContentNote(component="chart", text="its images are pulled by the nodes"),),
        prepared_at=AT,
    ),
    catalog.PreparationFailed(
        app="shop",
        version="2.0.0",
        bundle_sha256=DIGEST,
        cause=base.Cause(code="registry_unreachable", message="registry.example:5000 does not answer"),
        on_behalf=(f"{STRATEGY}/1",),
        failed_at=AT,
    ),
)
