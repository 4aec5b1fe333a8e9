"""How fast this machine is just now: a fixed piece of work, of the kind that the services do, in CPU seconds.

The speed of a machine shared with others changes by a factor of two within minutes. What is measured beside this piece
and divided by it can be compared over an hour.
"""

import hashlib
import time
import zlib

import orjson

ROUNDS = 1_000
RECORD = {"site": "site-000001", "state": "complete", "labels": {"zone": "north"}, "took": 1.25, "steps": [*range(20)]}


def calibrate() -> float:
    """CPU seconds of the piece: about a third of a second on a core of today."""
    began = time.process_time()
    for number in range(ROUNDS):
        _piece(number)
    return time.process_time() - began


def _piece(number: int) -> str:
    """JSON there and back, a dictionary of many keys, compression and a digest: no I/O and nothing kept."""
    records = [orjson.loads(orjson.dumps({**RECORD, "number": number + step})) for step in range(200)]
    by_number = {record["number"]: record for record in records}
    packed = zlib.compress(orjson.dumps([by_number[key] for key in sorted(by_number, reverse=True)]), 1)
    return hashlib.sha256(packed).hexdigest()
