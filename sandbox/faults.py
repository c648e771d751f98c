"""A bad day at AWS: calls that are throttled, fail, take their time, or are answered with yesterday's news."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from moto.core.request import Request
from moto.core.utils import get_service_model
from werkzeug.wrappers import Response

from sandbox.calls import Call, read_call
from sandbox.process import OVERVIEW_PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FAULTS_PATH = f"{OVERVIEW_PATH}/faults"


@dataclass
class Fault:
    """What goes wrong with which calls.

    ``call`` is a pattern such as ``ec2:RunInstances`` or ``rds:*``. Of the calls that fit, ``after`` so many the first
    of each ``every`` is hit, ``times`` of them in all (0: no end). A hit call first waits ``seconds``; then it fails
    with ``code`` and ``message`` under the HTTP status ``status``, or, without a code, is answered, each ``stale`` text
    in the answer replaced by the other: what AWS does not yet know, or still says. Only an answer that has such a text
    counts then.
    """

    call: str
    after: int = 0
    every: int = 1
    times: int = 0
    seconds: float = 0.0
    code: str = ""
    message: str = "injected by the sandbox"
    status: int = 400
    stale: dict[str, str] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0

    def hit(self, name: str) -> bool:
        """Say whether this call is hit, and count it."""
        if not fnmatchcase(name, self.call) or (self.times and self.hits >= self.times):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.seen - self.after - 1) % self.every:
            return False
        self.hits += 1
        return True


class Faults:
    """Applies the first fault that hits a call; none until told over HTTP.

    ``PUT`` a JSON list of faults, ``GET`` them with how often each was seen and hit, ``DELETE`` them.
    """

    def __init__(self, api: WSGIApplication) -> None:
        self._api = api
        self._faults: list[Fault] = []
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, well or badly."""
        if environ.get("PATH_INFO") == FAULTS_PATH:
            return self._control(Request(environ))(environ, start_response)
        call = read_call(environ) if self._faults else None
        fault = self._fault_of(call) if call else None
        if call is None or fault is None:
            return self._api(environ, start_response)
        time.sleep(fault.seconds)
        if fault.code:
            return _error(call, fault)(environ, start_response)
        if fault.stale:
            return self._stale(environ, fault)(environ, start_response)
        return self._api(environ, start_response)

    def _fault_of(self, call: Call) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._faults if fault.hit(call.name)), None)

    def _stale(self, environ: WSGIEnvironment, fault: Fault) -> Response:
        answer = Response.from_app(self._api, environ)
        fresh = text = answer.get_data(as_text=True)
        for now, then in fault.stale.items():
            text = text.replace(now, then)
        if text == fresh:
            # Nothing in it to be stale about: this one doesn't count.
            with self._lock:
                fault.hits -= 1
        return Response(text, answer.status_code, answer.headers.items())

    def _control(self, request: Request) -> Response:
        match request.method:
            case "PUT":
                try:
                    wanted = [Fault(**entry) for entry in json.loads(request.get_data())]
                except (TypeError, ValueError) as error:
                    known = ", ".join(item.name for item in fields(Fault))
                    return Response(f"{error}. A fault has: {known}.\n", 400)
                with self._lock:
                    self._faults = wanted
            case "DELETE":
                with self._lock:
                    self._faults = []
            case "GET":
                return Response(json.dumps([asdict(fault) for fault in self._faults]), mimetype="application/json")
            case _:
                return Response("method not allowed", 405)
        return Response(status=204)


def _error(call: Call, fault: Fault) -> Response:
    """Say no in the service's own protocol."""
    code, message = escape(fault.code), escape(fault.message)
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    match str(get_service_model(call.service).protocol):
        case "ec2":
            body = f"<Response><Errors>{error}</Errors><RequestID>sandbox</RequestID></Response>"
        case "query":
            body = f"<ErrorResponse>{error}<RequestId>sandbox</RequestId></ErrorResponse>"
        case "rest-xml":
            body = error
        case _:
            content = json.dumps({"__type": fault.code, "message": fault.message})
            return Response(content, fault.status, mimetype="application/x-amz-json-1.1")
    return Response(body, fault.status, mimetype="text/xml")
