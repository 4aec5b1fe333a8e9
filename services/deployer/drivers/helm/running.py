"""Helm run for a component: its kubeconfig and its values in memory, and nowhere else."""

import json
from collections.abc import Awaitable, Callable

from services.deployer.drivers.helm.binary import Helm, Ran
from services.deployer.drivers.helm.calls import Arguments, Paths
from services.deployer.drivers.helm.connection import Access
from services.deployer.drivers.in_memory import in_memory, path_of
from shared.components.helm import HelmSpec

Arguer = Callable[[Paths], Arguments]
"""What helm is called with, once it is known where it finds its files."""


async def run_helm(
    helm: Helm, access: Access, spec: HelmSpec, arguments: Arguer, stop: Callable[[], Awaitable[object]]
) -> Ran:
    """Run it to its end, or until `stop` returns. Raises Failed `tool_missing`."""
    config, given = json.dumps(dict(access.kubeconfig)), json.dumps(spec.values)
    with in_memory(config.encode()) as kubeconfig, in_memory(given.encode()) as values:
        paths = Paths(path_of(kubeconfig), access.context, path_of(values))
        return await helm.run(arguments(paths), (kubeconfig, values), stop)
