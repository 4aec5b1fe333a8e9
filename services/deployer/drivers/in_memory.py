"""Files without a name, for tools and libraries that take what is secret by a path alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def in_memory(content: bytes) -> Iterator[int]:
    """A file that lies in memory and has no name: nobody else can open it, and it is gone with the processes that can,
    also with one that is killed.

    Its descriptor; this process, and a child that inherits it, find the file at `path_of`.
    """
    descriptor = os.memfd_create("belay")
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, content)
        yield descriptor
    finally:
        os.close(descriptor)


def path_of(descriptor: int) -> str:
    """What whoever holds it calls the file."""
    return f"/proc/self/fd/{descriptor}"
