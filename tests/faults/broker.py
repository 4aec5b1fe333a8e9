"""`python -m tests.faults.broker HOME JARS`: the embedded Kafka, which also takes sessions shorter than 6 s.

So a frozen replica is given up within seconds, and a campaign sees many more of them.
"""

import sys
from dataclasses import replace

from shared.embedded import kafka, process
from shared.embedded.home import Home


def main(root: str, jars: str) -> None:
    home = Home.open(root, jars)
    process.record(home, "kafka")
    command = kafka.prepare(home)
    short = ("--override", "group.min.session.timeout.ms=1000")
    replace(command, argv=(*command.argv, *short)).replace_this_process()


if __name__ == "__main__":
    main(*sys.argv[1:])
