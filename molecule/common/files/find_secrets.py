"""Read secrets as a JSON list from standard input; print where on this host they lie open, as another JSON list.

Open are the arguments of a process, a file that everybody may read, and the journal, where Ansible writes each of its
modules' arguments: so what was passed to a program for a moment is found there, too.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

# The rest of the system is Debian's packages, and MLflow's release is PyPI's.
PLACES = ("/etc", "/home", "/opt/mlflow/host.py", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")


def open_files(path: Path) -> Iterator[Path]:
    """Yield the files that somebody without any right may read."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode) and mode & stat.S_IXOTH:
        for entry in path.iterdir():
            yield from open_files(entry)
    elif stat.S_ISREG(mode) and mode & stat.S_IROTH:
        yield path


def main() -> None:
    """Search."""
    secrets = json.load(sys.stdin)
    # As they are, inside a URL, and inside JSON or a Python literal.
    forms = {form.encode() for secret in secrets for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found += [f"arguments of {process.parent.name}" for form in forms if form in arguments]
    for place in PLACES:
        found += [str(path) for path in open_files(Path(place)) for form in forms if form in path.read_bytes()]
    journal = subprocess.run(["journalctl", "--no-pager", "--output=cat"], stdout=subprocess.PIPE, check=True).stdout
    found += ["journal: " + line.decode()[:80] for line in journal.splitlines() for form in forms if form in line]
    print(json.dumps(sorted(set(found))))


if __name__ == "__main__":
    main()
