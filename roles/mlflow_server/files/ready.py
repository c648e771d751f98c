"""Wait until the tracking server answers on its socket.

Run by the unit after the start, so that the service counts as started when it can serve.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import sys
import time


class _Connection(http.client.HTTPConnection):
    """An HTTP connection to ``unix:/path`` or ``address:port``."""

    def __init__(self, listen: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._listen = listen

    def connect(self) -> None:
        """Connect to the Unix socket or the address."""
        if self._listen.startswith("unix:"):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._listen.removeprefix("unix:"))
        else:
            host, port = self._listen.rsplit(":", 1)
            self.sock = socket.create_connection((host, int(port)), self.timeout)


def answer(listen: str, timeout: float) -> str:
    """Return what is wrong with the server's answer, or nothing when it is well."""
    connection = _Connection(listen, timeout)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if status == http.client.OK else f"status {status}"


def main() -> int:
    """Poll until the server answers or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listen", help="unix:/path or address:port")
    parser.add_argument("--seconds", type=float, required=True, help="how long to wait at most")
    arguments = parser.parse_args()
    deadline = time.monotonic() + arguments.seconds
    while problem := answer(arguments.listen, timeout=5):
        if time.monotonic() > deadline:
            print(f"The server on {arguments.listen} isn't ready after {arguments.seconds:g} s: {problem}", file=sys.stderr)
            return 1
        time.sleep(0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
