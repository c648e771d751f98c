"""Calls of the API, read as AWS's own service models describe them, and a record of them for who wants one."""

from __future__ import annotations

import base64
import binascii
import datetime
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationNotFoundError, Shape, StructureShape
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from sandbox.process import OVERVIEW_PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CALLS_PATH = f"{OVERVIEW_PATH}/calls"
# Where a call that was read once waits for the next layer.
_ENVIRON_KEY = "sandbox.call"
# By a request's signature, as a header or in a presigned URL: the key's id, and the service's name for signing.
_SCOPE = re.compile(r"(?:Credential=)?([^/\s]+)/\d{8}/[^/]+/([^/]+)/aws4_request")
_SERVICES = {"tagging": "resourcegroupstaggingapi"}
_MASK = "*"


@dataclass(frozen=True)
class Call:
    """One request: what is asked of which service, and by whose key."""

    service: str
    operation: str
    parameters: dict[str, Any]
    access_key: str

    @property
    def name(self) -> str:
        """The operation with its service, as in ``ec2:RunInstances``."""
        return f"{self.service}:{self.operation}"


def read_call(environ: WSGIEnvironment) -> Call | None:
    """Read a signed request; None where it carries no signature. The body of an object stays unread."""
    if _ENVIRON_KEY not in environ:
        environ[_ENVIRON_KEY] = _read(environ)
    found: Call | None = environ[_ENVIRON_KEY]
    return found


def _read(environ: WSGIEnvironment) -> Call | None:
    request = Request(environ)
    signature = request.headers.get("Authorization") or request.args.get("X-Amz-Credential") or ""
    scope = _SCOPE.search(signature)
    if scope is None:
        return None
    access_key, service = scope[1], _SERVICES.get(scope[2], scope[2])
    try:
        model = get_service_model(service)
        if service == "s3":
            # S3 tells its operations apart by method, path and query.
            operation, path = get_service_router(service).match(request)
            body, values = b"" if operation.has_streaming_input else _body(environ), request.args
        else:
            body, path = _body(environ), {}
            form = Request({**environ, "wsgi.input": io.BytesIO(body)})
            target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
            operation, values = model.operation_model(target or form.values["Action"]), form.values
        parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)](operation)
        parameters = parser.parse(
            {
                "method": request.method,
                "values": values,
                "headers": request.headers,
                "body": body,
                "url_path": request.path,
                "url_params": path,
            }
        )
    except (
        UnknownServiceError, OperationNotFoundError, NotImplementedError, HTTPException, RequestParserError,
        KeyError, ValueError, binascii.Error,
    ) as error:  # fmt: skip
        # A call that cannot be read is on record all the same: whoever reads the record shall stumble over it.
        return Call(service, "", {"unreadable": f"{request.method} {request.path}: {error!r}"}, access_key)
    return Call(service, operation.name, _plain(operation.input_shape, parameters), access_key)


def _body(environ: WSGIEnvironment) -> bytes:
    """Read the body, and leave it to be read again."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _plain(shape: Shape | None, value: Any) -> Any:
    """Return a value as JSON can carry it, a secret as a mask of its length, and nothing where nothing was sent."""
    if shape is not None and shape.metadata.get("sensitive") and isinstance(value, str):
        return _MASK * len(value)
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {k: _plain(shape.members[k], v) for k, v in value.items() if v is not None}
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {k: _plain(shape.value, v) for k, v in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_plain(shape.member, item) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value


class Calls:
    """Records calls while it is told to: over HTTP, at a path that no service has.

    ``PUT`` begins a record, ``GET`` reads it, ``DELETE`` ends and forgets it; ``POST`` says on whose behalf the calls
    are made from now on, in words of the caller's own (a role and a task, say).
    """

    def __init__(self, api: WSGIApplication) -> None:
        self._api = api
        self._record: list[dict[str, Any]] | None = None
        self._origin: dict[str, str] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or let it be answered and remember it."""
        if environ.get("PATH_INFO") == CALLS_PATH:
            return self._control(Request(environ))(environ, start_response)
        record, origin = self._record, self._origin
        call = read_call(environ) if record is not None else None
        if record is None or call is None:
            return self._api(environ, start_response)
        entry = {**asdict(call), "name": call.name, "origin": origin, "status": 0}
        record.append(entry)

        def remember(status: str, *arguments: Any) -> Any:
            entry["status"] = int(status.split()[0])
            return start_response(status, *arguments)

        return self._api(environ, remember)

    def _control(self, request: Request) -> Response:
        match request.method:
            case "PUT":
                self._record = []
            case "DELETE":
                self._record, self._origin = None, {}
            case "POST":
                self._origin = json.loads(request.get_data())
            case "GET":
                return Response(json.dumps(self._record or []), mimetype="application/json")
            case _:
                return Response("method not allowed", 405)
        return Response(status=204)
