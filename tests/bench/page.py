"""`python -m tests.bench.page URL FILE`: one open page, that is: its one connection to the event stream.

Like the page it asks for all events, with a token (BELAY_TOKEN). It drops what it reads and only notes the moment at
which each event was there: lines of `<epoch seconds> <event's type> <event's id>`. Ends when it is told to.
"""

import http.client
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO
from urllib.parse import urlsplit

AGAIN_AFTER = 0.5
"""Seconds until a stream that ended is opened anew, as the page does it."""

HEAD = 400
"""Bytes of an event's data in which its id stands: the type, the id and the time come first."""


def connect(url: str, token: str) -> http.client.HTTPResponse:
    """The open stream. Raises RuntimeError when the gateway refuses."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    connection.request("GET", "/v1/events", headers=headers)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"the gateway answers {response.status} to /v1/events")
    return response


def arrivals(lines: BinaryIO | http.client.HTTPResponse) -> Iterator[str]:
    """A note for each event, made at the moment its data is there."""
    kind = ""
    for line in lines:
        if line.startswith(b"event: "):
            kind = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            yield f"{time.time():.6f} {kind} {identifier(line)}\n"


def identifier(line: bytes) -> str:
    """The id in the data of an event; "-" where there is none (a reset)."""
    _, found, rest = line[:HEAD].partition(b'"id":"')
    return rest.partition(b'"')[0].decode() if found else "-"


def listen(url: str, notes: TextIO) -> None:
    """Until the stream ends."""
    response = connect(url, os.environ["BELAY_TOKEN"])
    notes.write(f"{time.time():.6f} opened -\n")
    notes.writelines(arrivals(response))


def main(url: str, target: str) -> None:
    with Path(target).open("w", buffering=1) as notes:
        while True:
            with suppress(OSError, http.client.HTTPException):
                listen(url, notes)
            time.sleep(AGAIN_AFTER)


if __name__ == "__main__":
    main(*sys.argv[1:])
