# SPDX-License-Identifier: Apache-2.0
"""The simulated server with TLS, as a process of its own: ``python -m bench.agent.serve FOLDER``.

It accepts every device and has nothing to install. Each line on stdout is JSON: first the server's
address, then each request when it is answered, with the time on the monotonic clock [s], which all
processes share.
"""

import json
import sys
import threading
import time
from pathlib import Path

from tests.simulators.certificates import make
from tests.simulators.mender_server import Request, mender_server

AUTHORITY = "authority.pem"
"""The name of the certificate in the folder that a device has to trust."""


class _Told(list[Request]):
    """A list that prints each request when it is added."""

    def append(self, request: Request) -> None:
        said = {"time": time.monotonic(), "path": request.path, "status": request.status}
        _say({**said, "agent": request.headers.get("user-agent", "")})
        super().append(request)


def main(folder: Path) -> None:
    """Serve until killed."""
    authority = make(folder, Path(AUTHORITY).stem, is_authority=True)
    certificate = make(folder, "server", by=authority)
    with mender_server(certificate=certificate) as server:
        server.requests = _Told()
        _say({"url": server.url})
        threading.Event().wait()


def _say(facts: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
