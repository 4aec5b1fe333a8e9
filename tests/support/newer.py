"""A newer version of Belay for tests of rolling changes: a copy of the code in which a release has got a channel.

It adds an optional field to a command, to an event and to a value inside of an event, and a column with its migration.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
CATALOG = "services/catalog"

#: A job that the older version queued says nothing of it.
CHANNEL = 'str(job.payload.get("channel", "stable"))'

CHANGES = (
    ("shared/messages/catalog.py", 'description="size of the bundle")\n', '    channel: Name = "stable"\n'),
    ("shared/messages/catalog.py", "    published_at: datetime\n", '    channel: Name = "stable"\n'),
    ("shared/messages/manifest.py", 'what the driver must know of it")\n', '    colour: str = "white"\n'),
    (
        f"{CATALOG}/publication/handlers.py",
        '"bytes": envelope.data.bundle_bytes,\n',
        '"channel": envelope.data.channel,\n',
    ),
    (f"{CATALOG}/validation.py", "published_at=tx.now,\n", f"channel={CHANNEL},\n"),
    (f"{CATALOG}/validation.py", "job.id, manifest, tx.now", f", {CHANNEL}"),
    (f"{CATALOG}/store.py", "sha256: str, manifest: Verified, now: datetime", ", channel: str"),
    (f"{CATALOG}/store.py", "upgrades_from_any=manifest.upgrades_from is None,\n", "channel=channel,\n"),
    (
        f"{CATALOG}/queries.sql",
        "bundle_sha256, upgrades_from_any,\n    max_parallel_components, rules, images, notices, published_at",
        ", channel",
    ),
    (f"{CATALOG}/queries.sql", ":notices::text[], :now::timestamptz", ", :channel"),
    (f"{CATALOG}/schema.sql", "published_at timestamptz not null,\n", "channel text not null default 'stable',\n"),
)
"""File, what stands there once, and what the newer version has behind it."""

MIGRATION = "alter table release add column channel text not null default 'stable';\n"


def newer_version(folder: Path) -> Path:
    """The code of the newer version, below this folder."""
    for part in ("shared", "services", "schemas"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, added in CHANGES:
        path = folder / name
        text = path.read_text()
        assert text.count(before) == 1, f"{name} no longer has once: {before}"
        path.write_text(text.replace(before, before + added))
    migration = folder / CATALOG / "migrations" / "001_release_channel.sql"
    migration.parent.mkdir(exist_ok=True)
    migration.write_text(MIGRATION)
    return folder
