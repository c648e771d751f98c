"""The AWS API: moto's server, corrected, on one address."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response

from sandbox.calls import Calls
from sandbox.corrections import ForGood, correct_all
from sandbox.faults import Faults
from sandbox.metadata import MetadataService
from sandbox.moto_state import overview
from sandbox.process import OVERVIEW_PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class QuietHandler(MotoRequestHandler):
    """Logs no request: the sandbox's log is for what it does."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stay quiet."""


class Overview:
    """Tells the command line what there is; unlike AWS's own calls it needs no credentials."""

    def __init__(self, inventory: Path, api: WSGIApplication) -> None:
        self._inventory = inventory
        self._api = api

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("PATH_INFO") != OVERVIEW_PATH:
            return self._api(environ, start_response)
        content = {"inventory": str(self._inventory), **overview()}
        return Response(json.dumps(content), mimetype="application/json")(environ, start_response)


def serve(inventory: Path, address: str, port: int) -> BaseWSGIServer:
    """Start the API in the background, one thread per request."""
    correct_all(ForGood())
    # In this order: a call that a fault answered is on record too.
    api = Calls(Faults(MetadataService(DomainDispatcherApplication(create_backend_app))))
    server = make_server(address, port, Overview(inventory, api), threaded=True, request_handler=QuietHandler)
    Thread(target=server.serve_forever, name="api", daemon=True).start()
    return server
