"""Charts of bundles that are not to be taken: archives of strangers inside of an archive of a stranger."""

# ruff: noqa: E501 - tables: a line a case
from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

from tests.support.bundles import Member, bundle, member, tar
from tests.support.hostile.belay import BOMB_OF_ALIASES
from tests.support.hostile.case import Case, case
from tests.support.starlingx import chart

MIB = 1 << 20
CHART_YAML = b"apiVersion: v2\nname: web\nversion: 1.0.0\n"
DEEP = b"[" * 10_000


def holding(content: bytes, **spec: Any) -> Callable[[], bytes]:
    """A bundle with this packed chart."""
    return lambda: deploying({"web.tgz": content}, chart="web.tgz", **spec)


def made(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """The same of a chart that is large to make."""
    return lambda: deploying({"web.tgz": make()}, chart="web.tgz")


def deploying(files: dict[str, bytes], **spec: Any) -> bytes:
    component = {"driver": "helm", "name": "web", "spec": {"namespace": "shop", **spec}}
    manifest = {"app": "shop", "version": "1.0.0", "components": [component]}
    return bundle({**files, "bundle.yaml": json.dumps(manifest).encode()})


def of(*members: Member) -> bytes:
    """A packed chart of these members behind a good Chart.yaml."""
    return gzip.compress(tar([member("web/Chart.yaml", CHART_YAML), *members]), 1)


def values(content: bytes) -> Callable[[], bytes]:
    files = {"web.tgz": chart("web"), "v.yaml": content}
    return lambda: deploying(files, chart="web.tgz", values_files=["v.yaml"])


def large_values() -> bytes:
    return values(b"".join(b"k%d: %d\n" % (n, n) for n in range(3 * MIB)))()


def template(text: str) -> Callable[[], bytes]:
    return holding(chart("web", more={"templates/bomb.yaml": text}))


def bomb_in_a_bomb() -> bytes:
    inner = gzip.compress(bytes(80 * MIB), 1)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=1) as archive:
        for info, content in (member("web/Chart.yaml", CHART_YAML), member("web/zeros.bin", bytes(30 * MIB))):
            archive.addfile(info, io.BytesIO(content))
        info, _ = member("web/charts/inner.tgz", inner)
        archive.addfile(info, io.BytesIO(inner))
    return target.getvalue()


CASES: tuple[Case, ...] = (
    case("chart that is no archive", holding(b"no chart"), "bad_chart"),
    case("chart that is cut off", holding(chart("web")[:200]), "bad_chart"),
    case("chart of nothing", holding(gzip.compress(tar([]))), "bad_chart"),
    case("chart that is no chart", holding(gzip.compress(tar([member("web/values.yaml", b"a: 1")]))), "bad_chart"),
    case("chart that climbs out", holding(of(member("web/../../evil", b"x"))), "path_traversal"),
    case("chart with an absolute name", holding(of(member("/etc/evil", b"x"))), "absolute_name"),
    case("chart with a link", holding(of(member("web/passwd", kind=tarfile.SYMTYPE, link="/etc/passwd"))), "not_a_file"),
    case("chart with a hard link", holding(of(member("web/x", kind=tarfile.LNKTYPE, link="/etc/passwd"))), "not_a_file"),
    case("chart that is a link", lambda: bundle(extra=[member("web.tgz", kind=tarfile.SYMTYPE, link="/etc")]), "not_a_file"),
    case("chart with a device", holding(of(member("web/null", kind=tarfile.CHRTYPE))), "not_a_file"),
    case("chart with files outside of its folder", holding(of(member("other/file", b"x"))), "bad_chart"),
    case("chart with a file twice", holding(of(member("web/Chart.yaml", b"name: other"))), "duplicate_name"),
    case("chart that is a bomb", made(lambda: of(member("web/zeros", bytes(30 * MIB)), member("web/more", bytes(30 * MIB)))), "compression_bomb"),
    case("chart with a bomb in a bomb", made(bomb_in_a_bomb), "compression_bomb"),
    case("chart with a file of 40 MiB", made(lambda: of(member("web/zeros", bytes(40 * MIB)))), "file_too_large"),
    case("chart with 5,001 files", made(lambda: of(*(member(f"web/{n}") for n in range(5_001)))), "too_many_files"),
    case("Chart.yaml of 2 MiB", holding(gzip.compress(tar([member("web/Chart.yaml", b"#" * (2 * MIB))]))), "file_too_large"),
    case("Chart.yaml that is a bomb", holding(gzip.compress(tar([member("web/Chart.yaml", BOMB_OF_ALIASES)]))), "bad_chart"),
    case("Chart.yaml that is nested deep", holding(gzip.compress(tar([member("web/Chart.yaml", DEEP)]))), "bad_chart"),
    case("Chart.yaml that is a list", holding(gzip.compress(tar([member("web/Chart.yaml", b"[]")]))), "bad_chart"),
    case("values that are a bomb", values(BOMB_OF_ALIASES), "bad_values"),
    case("values that are a list", values(b"- 1\n"), "bad_values"),
    case("values of 60 MiB", large_values, "file_too_large"),
    case("values that are not utf-8", values(b"a: \xff\n"), "bad_values"),
    case("values that are nested deep", values(DEEP), "bad_values"),
    case("chart that the bundle does not hold", lambda: deploying({}, chart="gone.tgz"), "missing_file"),
)  # fmt: skip

FOR_EVER = "a: {{ range until 60000 }}{{ range until 60000 }}{{ range until 60000 }}x{{ end }}{{ end }}{{ end }}\n"

BY_HELM: tuple[Case, ...] = (
    case("template without an end", template(FOR_EVER), "bad_chart"),
    case("template that takes all memory", template("a: {{ repeat 2000000000 \"x\" }}\n"), "bad_chart"),
    case("template that calls itself", template('{{ define "a" }}{{ include "a" . }}{{ end }}b: {{ include "a" . }}\n'), "bad_chart"),
    case("template of what is not there", template("a: {{ .Values.a.b.c }}\n"), "bad_chart"),
    case("template that is no YAML", template("a: [\n"), "bad_chart"),
    case("template that does not parse", template("{{ if }}\n"), "bad_chart"),
)  # fmt: skip
