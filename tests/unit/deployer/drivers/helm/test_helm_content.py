"""Charts that were prepared are taken from their content, and from nowhere else while all of it lies here."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from obstore.store import LocalStore

from services.deployer.drivers import Component, Item, Order
from services.deployer.drivers.content import Pace, Source
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm.binary import Helm
from services.deployer.drivers.helm.charts import Charts
from services.deployer.drivers.helm.connection import Registry
from shared.blobs import Blobs
from shared.components.helm import HelmSpec
from tests.support.process_sites import content_of

FILES = {"web/Chart.yaml": "name: web\n", "web/templates/all.yaml": "kind: ConfigMap\n", "values.yaml": "a: 1\n"}


async def no_bundle(sha256: str, target: Path) -> None:
    raise AssertionError(f"the bundle {sha256} was asked for, for {target}")


@pytest.fixture
def charts(tmp_path: Path) -> Charts:
    blobs = Blobs(LocalStore(tmp_path / "blobs", mkdir=True), tmp_path / "blobs")
    return Charts(tmp_path / "home", no_bundle, Helm("helm", tmp_path / "tool", 1), 5, Source(blobs, Pace()))


async def prepared(tmp_path: Path, files: dict[str, str]) -> tuple[Item, ...]:
    for name, text in files.items():
        (tmp_path / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bundle" / name).write_text(text)
    return await content_of(tmp_path / "bundle", Blobs(LocalStore(tmp_path / "blobs", mkdir=True), tmp_path / "blobs"))


def order(items: tuple[Item, ...], **spec: str) -> Order:
    made = HelmSpec.model_validate({"chart": "web", "namespace": "shop", "values_files": ["values.yaml"], **spec})
    return Order("o1", "oslo", {}, "shop", "fetch", Component("web", "helm", made), "1.0", "c" * 64, items=items)


async def test_a_prepared_chart_is_sent_once_and_laid_out_as_its_bundle_has_it(charts: Charts, tmp_path: Path) -> None:
    asked = order(await prepared(tmp_path, FILES))
    sent: list[int] = []
    chart = await charts.bring(asked, Registry(), sent.append)
    assert sum(sent) == sum(len(text) for text in FILES.values())
    assert (chart.path / "templates/all.yaml").read_text() == "kind: ConfigMap\n"
    assert [file.read_text() for file in chart.values_files] == ["a: 1\n"]
    again: list[int] = []
    assert await charts.bring(replace(asked, key="o2"), Registry(), again.append) == chart
    assert again == []
    assert await charts.of(replace(asked, action="apply"), Registry()) == chart


async def test_a_chart_of_a_registry_is_a_file(charts: Charts, tmp_path: Path) -> None:
    reference = f"oci://registry.test/charts/web@sha256:{'a' * 64}"
    (item,) = await prepared(tmp_path, {"chart.bin": "packed"})
    asked = order((replace(item, name=reference),), chart=reference, values_files=())  # type: ignore[arg-type]
    chart = await charts.bring(asked, Registry(), [].append)
    assert (chart.path.name, chart.path.read_text()) == ("chart.tgz", "packed")


async def test_what_lies_here_in_part_is_taken_from_its_bundle(charts: Charts, tmp_path: Path) -> None:
    items = await prepared(tmp_path, FILES)
    await charts.bring(order(items), Registry(), [].append)
    lost = replace(items[0], sha256="f" * 64)
    with pytest.raises(AssertionError, match="was asked for"):
        await charts.of(order((lost, *items[1:])), Registry())


async def test_a_disk_of_the_deployers_that_is_full_is_told_as_that_and_nothing_half_is_left(tmp_path: Path) -> None:
    async def unpack(_: str, target: Path) -> None:
        if full:
            await asyncio.to_thread(Path("/dev/full").write_text, "web")  # the system's own answer
        (target / "web").mkdir(parents=True)

    (helm := tmp_path / "helm").write_text("#!/bin/sh\necho 'Error: write /x: no space left on device' >&2; exit 1\n")
    helm.chmod(0o755)
    charts, full = Charts(tmp_path / "home", unpack, Helm(str(helm), tmp_path / "tool", 1), 5), True
    in_registry = order((), chart=f"oci://registry.test/charts/web@sha256:{'a' * 64}", values_files=())  # type: ignore[arg-type]
    for asked in (order(()), in_registry):
        with pytest.raises(Failed) as caught:
            await charts.of(asked, Registry())
        assert caught.value.broken.code == "disk_full"
        assert "o space left on device" in caught.value.broken.message
    full = False
    assert (await charts.of(order(()), Registry())).path.is_dir()
    assert [path.name for path in (tmp_path / "home/pulled").iterdir()] == []
