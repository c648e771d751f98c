"""The background process of one sandbox: the API and the reconciler. `python -m sandbox.daemon INVENTORY`."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import time
from pathlib import Path
from threading import Event
from typing import IO

from sandbox import engine
from sandbox.aws import serve
from sandbox.containers import Containers
from sandbox.moto_state import MotoState
from sandbox.reconciler import Reconciler
from sandbox.settings import Settings

LOCK_ATTEMPTS = 10


def main(inventory: Path) -> int:
    """Run until a signal ends it."""
    settings = Settings.read(inventory)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S", stream=sys.stderr
    )
    for noisy in ("werkzeug", "botocore", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    log = logging.getLogger("sandbox")

    # The lock, not the number in the file, says that a sandbox runs: it goes with the process, however that ends.
    with settings.lock.open("a+") as lock:
        if not _lock(lock):
            log.error("another process runs this sandbox already")
            return 1
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()

        ended = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        server = serve(settings.inventory, settings.address, settings.port)
        log.info("API at %s", settings.endpoint_url)
        Reconciler(MotoState(), Containers(engine.connect(), settings)).run(ended)
        server.shutdown()
        log.info("ended")
        logging.shutdown()
        # At once, the lock still held: nothing may be made any more when it falls, for `down` removes all then.
        os._exit(0)


def _lock(file: IO[str]) -> bool:
    """Take the lock; who only asks whether it is taken holds it for a moment, so one refusal says little."""
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
