"""`python -m services.deployer.drivers.ansible.runner FOLDER`: run Ansible as the job on stdin says."""

import os
import sys
from pathlib import Path

from services.deployer.drivers.ansible.runner.folder import RunFolder
from services.deployer.drivers.ansible.runner.job import Given
from services.deployer.drivers.ansible.runner.running import run


def main(folder: Path) -> None:
    """The lock of the folder is held from this process's birth. Its parent goes on as soon as all was read."""
    given = Given.model_validate_json(sys.stdin.buffer.read())
    if os.fork() == 0:
        run(RunFolder(folder), given)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
