"""The instance metadata service, version 2: what an instance learns about itself, its role's credentials included."""

from __future__ import annotations

import datetime
import json
import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance
from moto.sts.models import AssumedRole, sts_backends
from moto.utilities.utils import get_partition
from werkzeug.wrappers import Request, Response

from sandbox.moto_state import instances

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ADDRESS = "169.254.169.254"
SESSION_SECONDS = 6 * 3600
REFRESH_SECONDS = 3600
MAX_TOKEN_SECONDS = 21600
JSON = "application/json"


class MetadataService:
    """A WSGI application that answers for the metadata address, and passes all else on."""

    def __init__(self, api: WSGIApplication) -> None:
        self._api = api
        self._tokens: dict[str, tuple[str, float]] = {}
        self._roles: dict[str, AssumedRole] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("HTTP_HOST", "").split(":")[0] != ADDRESS:
            return self._api(environ, start_response)
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        found = _instance_at(request.remote_addr or "")
        if found is None:
            return Response("no such instance", 404)
        backend, instance = found
        options = instance.metadata_options
        if options.http_endpoint == "disabled":
            return Response("disabled", 403)
        if request.path == "/latest/api/token":
            return self._issue_token(request, instance)
        token = request.headers.get("X-aws-ec2-metadata-token")
        if token is None and options.http_tokens == "required":
            return Response("a session token is required", 401)
        if token is not None and not self._token_holds(token, instance):
            return Response("the session token is not valid", 401)
        return self._document(request.path, backend, instance)

    def _issue_token(self, request: Request, instance: Instance) -> Response:
        seconds = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT":
            return Response("method not allowed", 405)
        if not seconds.isdigit() or not 1 <= int(seconds) <= MAX_TOKEN_SECONDS:
            return Response("bad token lifetime", 400)
        now = time.time()
        self._tokens = {token: entry for token, entry in self._tokens.items() if entry[1] > now}
        token = secrets.token_urlsafe(40)
        self._tokens[token] = (instance.id, now + int(seconds))
        return Response(token, headers={"X-aws-ec2-metadata-token-ttl-seconds": seconds})

    def _token_holds(self, token: str, instance: Instance) -> bool:
        owner, expires = self._tokens.get(token, ("", 0.0))
        return owner == instance.id and time.time() < expires

    def _document(self, path: str, backend: EC2Backend, instance: Instance) -> Response:
        roles = _roles_of(backend, instance)
        zone = instance.availability_zone or ""
        documents: dict[str, Callable[[], str]] = {
            "meta-data/ami-id": lambda: instance.image_id,
            "meta-data/hostname": lambda: instance.private_dns_name,
            "meta-data/instance-id": lambda: instance.id,
            "meta-data/instance-type": lambda: instance.instance_type,
            "meta-data/local-hostname": lambda: instance.private_dns_name,
            "meta-data/local-ipv4": lambda: instance.private_ip or "",
            "meta-data/placement/availability-zone": lambda: zone,
            "meta-data/placement/region": lambda: backend.region_name,
            "meta-data/security-groups": lambda: "\n".join(group.name for group in instance.security_groups),
            "dynamic/instance-identity/document": lambda: _identity(backend, instance),
        }
        if instance.public_ip:
            documents["meta-data/public-ipv4"] = lambda: instance.public_ip or ""
        for role in roles:
            documents[f"meta-data/iam/security-credentials/{role.name}"] = lambda role=role: self._credentials(  # type: ignore[misc]
                backend, instance, role
            )
        wanted = path.removeprefix("/latest/").strip("/")
        if wanted in documents:
            content = documents[wanted]()
            return Response(content, mimetype=JSON if content.startswith("{") else "text/plain")
        # A folder lists what is in it, a slash behind each further folder.
        inside = [name.removeprefix(wanted).lstrip("/") for name in documents if name.startswith(f"{wanted}/")]
        if not inside:
            return Response("not found", 404)
        entries = {name.split("/")[0] + ("/" if "/" in name else "") for name in inside}
        return Response("\n".join(sorted(entries)), mimetype="text/plain")

    def _credentials(self, backend: EC2Backend, instance: Instance, role: Any) -> str:
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        session = self._roles.get(instance.id)
        issuer = sts_backends[backend.account_id][get_partition(backend.region_name)]
        stale = (
            session is None
            or session.role_arn != role.arn
            # Somebody reset the API: credentials that it has forgotten are worth nothing.
            or session not in issuer.assumed_roles
            or session.expiration.replace(tzinfo=None) - now < datetime.timedelta(seconds=REFRESH_SECONDS)
        )
        if stale:
            session = issuer.assume_role(
                region_name=backend.region_name, role_session_name=instance.id, role_arn=role.arn,
                policy="", duration=SESSION_SECONDS, external_id="",
            )  # fmt: skip
            self._roles[instance.id] = session
        assert session is not None
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "Type": "AWS-HMAC",
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "Token": session.session_token,
                "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )


def _instance_at(address: str) -> tuple[EC2Backend, Instance] | None:
    for backend, instance in instances():
        if instance.state != "terminated" and instance.private_ip == address:
            return backend, instance
    return None


def _roles_of(backend: EC2Backend, instance: Instance) -> list[Any]:
    association = backend.iam_instance_profile_associations.get(instance.id)
    return list(association.iam_instance_profile.roles) if association else []


def _identity(backend: EC2Backend, instance: Instance) -> str:
    return json.dumps(
        {
            "accountId": backend.account_id,
            "architecture": instance.architecture,
            "availabilityZone": instance.availability_zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "privateIp": instance.private_ip,
            "region": backend.region_name,
            "version": "2017-09-30",
        }
    )
