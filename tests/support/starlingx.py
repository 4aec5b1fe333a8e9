"""Application tarballs of StarlingX, of both generations, made as its applications are."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Mapping

from tests.support.bundles import member, tar

Files = dict[str, bytes]

METADATA = """\
app_name: {app}
app_version: {version}
helm_repo: stx-platform
maintain_user_overrides: true
upgrades:
  auto_update: false
supported_k8s_version:
  minimum: v1.24.4
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: {{{{ .Values.replicas }}}}
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      initContainers:
        - {{name: wait, image: "docker.io/library/busybox:1.36"}}
      containers:
        - name: {name}
          image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
"""

HELMRELEASE = """\
apiVersion: "helm.toolkit.fluxcd.io/v2"
kind: HelmRelease
metadata:
  name: {name}
  labels:
    chart_group: {name}
spec:
  releaseName: {release}
  chart:
    spec:
      chart: {name}
      version: {version}
      sourceRef:
        kind: HelmRepository
        name: stx-platform
  interval: 1m
  timeout: 30m
  test:
    enable: false
  install:
    disableHooks: false
  upgrade:
    disableHooks: false
{more}  valuesFrom:
    - kind: Secret
      name: {name}-static-overrides
      valuesKey: {name}-static-overrides.yaml
    - kind: Secret
      name: {name}-system-overrides
      valuesKey: {name}-system-overrides.yaml
"""

CHART_KUSTOMIZATION = """\
namespace: {namespace}
resources:
  - helmrelease.yaml
secretGenerator:
  - name: {name}-static-overrides
    files:
      - {name}-static-overrides.yaml
  - name: {name}-system-overrides
    files:
      - {name}-system-overrides.yaml
generatorOptions:
  disableNameSuffixHash: true
"""

ARMADA_CHART = """\
---
schema: armada/Chart/v1
metadata:
  schema: metadata/Document/v1
  name: lamp-{name}
data:
  chart_name: {name}
  release: {name}
  namespace: lamp
  wait:
    timeout: 1800
    labels:
      release_group: {name}
  install:
    no_hooks: false
  upgrade:
    no_hooks: false
    pre:
      delete:
        - type: job
          labels:
            release_group: {name}
  values:
    replicas: 2
  source:
    type: tar
    location: http://172.17.0.1/helm_charts/starlingx/{name}-{version}.tgz
    subpath: {name}
    reference: master
  dependencies: []
"""

ARMADA_GROUP = """\
---
schema: armada/ChartGroup/v1
metadata:
  schema: metadata/Document/v1
  name: {name}
data:
  description: "Deploy {name}"
  sequenced: {sequenced}
  chart_group: [{charts}]
"""

ARMADA_MANIFEST = """\
---
schema: armada/Manifest/v1
metadata:
  schema: metadata/Document/v1
  name: lamp-manifest
data:
  release_prefix: stx
  chart_groups: [{groups}]
"""


def chart(name: str, version: str = "1.0.0", more: Mapping[str, str] | None = None) -> bytes:
    """A packed chart with one Deployment; `more` are further files of it, or others in place of these."""
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
        "values.yaml": f"replicas: 1\nimage: {{repository: quay.io/lamps/{name}, tag: '1'}}\n",
        "templates/deployment.yaml": DEPLOYMENT.format(name=name),
    } | dict(more or {})
    return packed({f"{name}/{path}": text.encode() for path, text in files.items()})


def packed(files: Files) -> bytes:
    """A .tgz of these files."""
    return gzip.compress(tar([member(name, content) for name, content in files.items()]), compresslevel=1, mtime=0)


def summed(files: Files) -> Files:
    """The files with a list of their MD5 sums, as `find . -type f | xargs md5sum` writes it."""
    lines = (
        f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  ./{name}\n" for name, content in files.items()
    )
    return {**files, "checksum.md5": "".join(sorted(lines)).encode()}


def tarball(files: Files) -> bytes:
    """Packed as StarlingX does: `tar -czf x.tgz -C folder .`"""
    members = [member("./", kind=tarfile.DIRTYPE), *(member(f"./{name}", content) for name, content in files.items())]
    return gzip.compress(tar(members), compresslevel=1, mtime=0)


def flux(app: str = "lamp", version: str = "1.0-1", charts: Mapping[str, str] | None = None) -> Files:
    """Of today: `charts` has by name what is put into the spec of each HelmRelease."""
    charts = charts if charts is not None else {"bulb": "", "socket": "  dependsOn:\n    - {name: bulb}\n"}
    root = "fluxcd-manifests"
    resources = "".join(f"  - {name}\n" for name in ("base", *charts))
    files = {
        "metadata.yaml": METADATA.format(app=app, version=version),
        f"{root}/kustomization.yaml": f"kind: Kustomization\nnamespace: lamp\nresources:\n{resources}",
        f"{root}/base/kustomization.yaml": "resources:\n  - helmrepository.yaml\n",
        f"{root}/base/helmrepository.yaml": "kind: HelmRepository\nmetadata: {name: stx-platform}\n",
        f"{root}/base/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: lamp\n",
    }
    for name, more in charts.items():
        told = {"name": name, "release": f"stx-{name}", "version": "1.0.0", "namespace": "lamp", "more": more}
        files |= {
            f"{root}/{name}/kustomization.yaml": CHART_KUSTOMIZATION.format(**told),
            f"{root}/{name}/helmrelease.yaml": HELMRELEASE.format(**told),
            f"{root}/{name}/{name}-static-overrides.yaml": "replicas: 2\nimage: {tag: '2'}\n",
            f"{root}/{name}/{name}-system-overrides.yaml": "#\n# made by the platform\n#\n",
        }
    packed_charts = {f"charts/{name}-1.0.0.tgz": chart(name) for name in charts}
    return {name: text.encode() for name, text in files.items()} | packed_charts


def armada(groups: Mapping[str, tuple[bool, tuple[str, ...]]] | None = None, more: str = "") -> Files:
    """Of 2019: `groups` has by name whether one is sequenced, and its charts. No metadata."""
    groups = groups or {"first": (True, ("bulb", "socket")), "second": (False, ("switch", "timer"))}
    names = [name for _, charts in groups.values() for name in charts]
    text = "".join(ARMADA_CHART.format(name=name, version="1.0.0") for name in names)
    for group, (sequenced, charts) in groups.items():
        listed = ", ".join(f"lamp-{name}" for name in charts)
        text += ARMADA_GROUP.format(name=group, sequenced=str(sequenced).lower(), charts=listed)
    text += ARMADA_MANIFEST.format(groups=", ".join(groups)) + more
    return {"manifest.yaml": text.encode(), **{f"charts/{name}-1.0.0.tgz": chart(name) for name in names}}
