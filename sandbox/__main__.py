"""The command line: `python -m sandbox up|down|env|status [--inventory DIRECTORY]`, `python -m sandbox images`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from sandbox import account, engine, moto_settings, process
from sandbox.certificates import ensure_authority, ensure_ssh_key
from sandbox.containers import BODY_LABEL, Containers
from sandbox.errors import SandboxError
from sandbox.images import RELEASES, ensure_image
from sandbox.settings import Settings

DEFAULT_INVENTORY = Path(__file__).parents[1] / "inventories" / "sandbox"


def up(settings: Settings) -> None:
    """Make and start what is missing; harmless when all is there."""
    client = engine.ensure()
    ensure_image(client, "host")
    ensure_image(client, "database")
    settings.state.mkdir(exist_ok=True)
    settings.state.chmod(0o700)
    ensure_ssh_key(settings.ssh_key)
    ensure_authority(settings.ca_certificate, settings.ca_key)
    Containers(client, settings).create_api_network()
    moto_settings.write_images(_amis(settings))
    process.start(settings, moto_settings.variables(_amis(settings), settings.port))
    account.settle(settings)
    _say(f"the local AWS answers at {settings.endpoint_url}")


def down(settings: Settings) -> None:
    """Remove what `up` and the API's clients made; the images and the cache stay for the next time."""
    process.end(settings)
    try:
        removed = Containers(engine.connect(), settings).remove_all()
    except DockerException:
        # Without Docker nothing of ours runs; what it may keep, the next `up` removes.
        removed = []
    for name in removed:
        _say(f"removed {name}")
    files = [settings.ssh_key, settings.ssh_key.with_name(settings.ssh_key.name + ".pub"), settings.ca_certificate]
    for path in [*files, settings.ca_key, _amis(settings), settings.log, settings.lock, settings.trust]:
        path.unlink(missing_ok=True)
    for directory in (settings.state, settings.trust.parent):
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
    _say("nothing is left of the sandbox")


def env(settings: Settings) -> None:
    """Print a client's settings for `eval`."""
    hosts = [
        instance
        for instance in _overview(settings)["instances"]
        if instance["role"] == "tracking_host" and instance["state"] == "running"
    ]
    if not hosts or not settings.trust.exists():
        raise SandboxError("No tracking server is deployed here. Run 'make sandbox', or ansible-playbook site.yml.")
    values = {
        **account.admin_login(settings),
        "MLFLOW_TRACKING_URI": f"https://{hosts[0]['address']}",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": str(settings.trust),
    }
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


def status(settings: Settings) -> None:
    """Print what there is."""
    content = _overview(settings)
    bodies = {entry["Labels"][BODY_LABEL]: entry for entry in Containers(engine.connect(), settings).listing()}
    print(f"API  {settings.endpoint_url}  (process {process.running(settings)}, log {settings.log})")
    rows = [("KIND", "NAME", "ID", "STATE", "ADDRESS", "CONTAINER")]
    for kind, entries in (("instance", content["instances"]), ("database", content["databases"])):
        for entry in entries:
            body = bodies.get(entry["id"])
            container = f"{body['Names'][0].lstrip('/')} ({body['State']})" if body else "-"
            rows.append((kind, entry["name"] or "-", entry["id"], entry["state"], entry["address"], container))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def images() -> None:
    """Build the images that are missing; print all tags as one line of JSON."""
    client = engine.ensure()
    hosts = {release: ensure_image(client, "host", release) for release in RELEASES}
    print(json.dumps({"host": hosts, "database": ensure_image(client, "database")}))


def _overview(settings: Settings) -> dict[str, Any]:
    content = process.overview(settings)
    if content is None:
        raise SandboxError(f"No sandbox of {settings.inventory} runs. Run 'make sandbox', or 'python -m sandbox up'.")
    return content


def _amis(settings: Settings) -> Path:
    return settings.state / "amis.json"


def _say(text: str) -> None:
    print(f"[sandbox] {text}", flush=True)


COMMANDS = {"up": up, "down": down, "env": env, "status": status}


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A local AWS for one inventory.")
    documented = {**COMMANDS, "images": images}
    explained = "; ".join(f"{name}: {function.__doc__}" for name, function in documented.items())
    parser.add_argument("command", choices=documented, help=explained)
    parser.add_argument("--inventory", type=Path, default=DEFAULT_INVENTORY, help="directory (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        if options.command == "images":
            images()
        else:
            COMMANDS[options.command](Settings.read(options.inventory))
    except SandboxError as error:
        print(f"[sandbox] {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
