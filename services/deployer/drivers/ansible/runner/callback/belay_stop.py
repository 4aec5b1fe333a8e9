"""An Ansible callback that ends a run between two tasks, where nothing is half done, once its stop file lies there.

Loaded by ansible-playbook, not by Belay. The exit passes all of Ansible's handlers of errors, which a failed callback
would not: that is only warned of, and the next task begins.
"""

import os
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

STOPPED = 75


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """Looks at each task's start, when all hosts have ended the one before."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "belay_stop"

    def v2_playbook_on_play_start(self, play: Any) -> None:  # noqa: ARG002 - Ansible's signatures
        """Between two plays."""
        self._look()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        """Between two tasks."""
        self._look()

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:  # noqa: ARG002
        """Between two handlers."""
        self._look()

    def _look(self) -> None:
        if Path(os.environ["BELAY_ANSIBLE_STOP"]).exists():
            sys.exit(STOPPED)
