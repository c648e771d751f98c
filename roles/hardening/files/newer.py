"""Name those files that were written after a unit was last started or reloaded: it hasn't read them."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path


def since(unit: str) -> float:
    """Return when the unit last changed its state."""
    asked = ["systemctl", "show", "--property=StateChangeTimestamp", "--value", "--timestamp=us+utc", unit]
    said = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if not said:
        return 0.0  # it never ran, so it has read nothing
    return datetime.strptime(said, "%a %Y-%m-%d %H:%M:%S.%f %Z").replace(tzinfo=timezone.utc).timestamp()  # noqa: UP017 - Ubuntu 22.04 has Python 3.10


if __name__ == "__main__":
    unit, *files = sys.argv[1:]
    last = since(unit)
    found = [name for name in files if Path(name).exists() and Path(name).stat().st_mtime > last]
    print("\n".join(found), end="")
