"""Single HTTP requests whose end is known: verified TLS, a deadline that holds, no redirects.

Built on http.client and ssl rather than on ansible.module_utils.urls: the latter's timeout counts anew with every
byte received, so a server that trickles holds it forever; it follows redirects; and it doesn't hand out the peer's
certificate.
"""

from __future__ import annotations

import base64
import copy
import http.client
import io
import ipaddress
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

T = TypeVar("T")

# An answer that is larger than this is not one of ours: reading on would only fill the memory.
LARGEST_ANSWER = 128 * 1024 * 1024
# The server (or a proxy before it) refuses for now: the request was not carried out.
REFUSED_FOR_NOW = frozenset({429, 503})
# A proxy had no answer from the server: the request may have been carried out.
NO_ANSWER = frozenset({502, 504})
LONGEST_PAUSE = 5.0


class TrackingError(Exception):
    """The tracking server, or the way to it, isn't as it should be; or the caller's input is wrong."""

    def __init__(self, reason: str, *, status: int | None = None, code: str = "", sent: bool = False) -> None:
        """Keep what callers decide on: the answer's status and MLflow's error code, whether the request went out."""
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.code = code
        self.sent = sent

    def __str__(self) -> str:
        """Give the reason as it is now: the number of attempts is added to it later."""
        return self.reason

    @property
    def carried_out(self) -> bool | None:
        """Whether the server did what it was asked: None when nobody can know."""
        if not self.sent or self.status in REFUSED_FOR_NOW:
            return False
        if self.status is None or self.status in NO_ANSWER or self.status < 300:
            return None
        return False


class _ConnectionFailedError(TrackingError):
    """No answer, or only a part of one: the same request may succeed a moment later."""


class Deadline:
    """A point in time that no operation under it outlives."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """End that many seconds from now."""
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - self._clock())

    def within(self, seconds: float) -> Deadline:
        """Give a deadline that ends after that many seconds, and never later than this one."""
        return Deadline(min(seconds, self.remaining()), self._clock)

    def require(self) -> float:
        """Seconds left, as a socket timeout: there, 0 would mean "never wait" and not "no time left"."""
        left = self.remaining()
        if left <= 0:
            raise TimeoutError
        return left


@dataclass(frozen=True)
class Endpoint:
    """The tracking server's address, taken apart and found sane."""

    scheme: str
    host: str
    port: int
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Take the URL apart; refuse what could only fail later, or leak a password."""
        try:
            parts = urlsplit(url)
            port = parts.port
            host = parts.hostname or ""
        except ValueError as error:
            raise TrackingError(f"url is {url!r}: {error}. Give one like https://mlflow.example.com.") from error
        if "@" in parts.netloc:
            # Not repeated in the text: what stands before the @ may be a password.
            raise TrackingError("url holds a login. Give it in username and password, where it stays out of logs.")
        if parts.scheme not in ("http", "https") or not host:
            raise TrackingError(f"url is {url!r}: not an http(s) address. Give one like https://mlflow.example.com.")
        if parts.query or parts.fragment:
            raise TrackingError(f"url is {url!r}: has a query or a fragment. Give the address alone.")
        if not re.fullmatch(r"[!-~]+", url):
            raise TrackingError(f"url is {url!r}: has blanks or non-ASCII characters. Give the name in its xn-- form.")
        if parts.scheme == "http" and not is_loopback(host):
            raise TrackingError(
                f"url is {url!r}: plain HTTP would send login and data unencrypted over the network. "
                "Use https://; http:// is accepted for loopback addresses only."
            )
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"))

    def __str__(self) -> str:
        """Write the address as the user would."""
        return urlunsplit((self.scheme, self.authority, self.prefix, "", ""))

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL and in the Host header: the port only where it isn't the usual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Tell whether what is sent to this host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Login:
    """A user of MLflow's basic authentication."""

    username: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, username: str | None, password: str | None) -> Login | None:
        """Make a login of both or of neither."""
        if not username and not password:
            return None
        if not username or not password:
            missing = "username" if not username else "password"
            raise TrackingError(f"{missing} is missing: a login is both, username and password. Give both or neither.")
        if ":" in username:
            raise TrackingError(f"username is {username!r}: basic authentication allows no colon in it.")
        return cls(username, password)

    @property
    def header(self) -> str:
        """Value of the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Retries:
    """How often, and after which pauses, a request is repeated that found no healthy server."""

    count: int = 3
    pause: float = 0.5

    def pause_before(self, repetition: int) -> float:
        """Double the pause each time, up to a bound."""
        return float(min(self.pause * 2**repetition, LONGEST_PAUSE))


@dataclass(frozen=True)
class Peer:
    """What is known of the other side once a connection stands."""

    connect_ms: int
    protocol: str | None = None
    certificate_days_left: int | None = None


@dataclass(frozen=True)
class Answer:
    """One complete answer."""

    request: str
    status: int
    body: bytes = field(repr=False)
    content_type: str
    elapsed_ms: int

    def json(self) -> dict[str, Any]:
        """Decode the JSON object that every call of MLflow's API answers with."""
        try:
            decoded = json.loads(self.body)
        except ValueError:
            decoded = None
        if isinstance(decoded, dict):
            return decoded
        start = printable(self.body.decode("utf-8", "replace"), 80)
        raise TrackingError(
            f"{self.request} answered {self.status} with no JSON object ({self.content_type or 'no content type'}, "
            f"starts {start!r}): is it MLflow that answers at this address?",
            status=self.status,
            sent=True,
        )


class HttpClient:
    """Sends requests to one endpoint, each over a connection of its own, each bounded in time."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        ca_file: str | None = None,
        login: Login | None = None,
        timeout: float = 10.0,
        retries: Retries | None = None,
    ) -> None:
        """Read the CA file now: an unreadable one is the caller's mistake, not the server's."""
        self.endpoint = endpoint
        self._login = login
        self._timeout = timeout
        self._retries = retries or Retries()
        self._context = tls_context(ca_file) if endpoint.scheme == "https" else None

    def logged_in_as(self, login: Login) -> HttpClient:
        """Return the same client with another login."""
        other = copy.copy(self)
        other._login = login
        return other

    def connect(self, deadline: Deadline) -> Peer:
        """Open a connection, tell what was found, close it."""

        def once(limit: Deadline) -> Peer:
            started = time.monotonic()
            sock = self._open(limit)
            try:
                elapsed = _milliseconds(started)
                if not isinstance(sock, ssl.SSLSocket):
                    return Peer(elapsed)
                certificate = sock.getpeercert() or {}
                not_after = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
                return Peer(elapsed, sock.version(), int((not_after - time.time()) // 86400))
            finally:
                sock.close()

        return self._repeat(once, deadline, repeatable=True)

    def send(
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        query: Mapping[str, str] | None = None,
        data: Mapping[str, object] | bytes | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """Send a request, return its 2xx answer, raise for any other.

        A request that isn't repeatable is sent again only if the server certainly didn't carry it out.
        """
        target = self.endpoint.prefix + quote(path) + (f"?{urlencode(query)}" if query else "")
        headers = {
            "Host": self.endpoint.authority,
            "Accept": "*/*",
            "Connection": "close",
            "User-Agent": "mlops.mlflow",
        }
        if self._login:
            headers["Authorization"] = self._login.header
        body = data if isinstance(data, bytes) else None
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        elif data is not None:
            body = json.dumps(data).encode()
            headers["Content-Type"] = "application/json"

        def once(limit: Deadline) -> Answer:
            return self._exchange(method, target, headers, body, limit)

        return self._repeat(once, deadline, repeatable=repeatable)

    def _repeat(self, once: Callable[[Deadline], T], deadline: Deadline, *, repeatable: bool) -> T:
        """Call until it succeeds, fails for good, or count or deadline is used up."""
        repetition = 0
        while True:
            try:
                return once(deadline.within(self._timeout))
            except TrackingError as error:
                passing = isinstance(error, _ConnectionFailedError) or error.status in REFUSED_FOR_NOW | NO_ANSWER
                harmless = repeatable or error.carried_out is False
                pause = self._retries.pause_before(repetition)
                if not (passing and harmless and repetition < self._retries.count and pause < deadline.remaining()):
                    if repetition:
                        error.reason += f" ({repetition + 1} attempts)"
                    raise
            time.sleep(pause)
            repetition += 1

    def _open(self, deadline: Deadline) -> socket.socket:
        """Connect and, for https, shake hands; name the step that failed."""
        where = self.endpoint.authority
        try:
            sock = _connect(self.endpoint.host, self.endpoint.port, deadline)
        except TimeoutError as error:
            raise _ConnectionFailedError(f"connecting to {where} took longer than allowed") from error
        except OSError as error:
            raise _ConnectionFailedError(f"cannot connect to {where}: {error.strerror or error}") from error
        if self._context is None:
            return sock
        try:
            sock.settimeout(deadline.require())
            return self._context.wrap_socket(sock, server_hostname=self.endpoint.host)
        except ssl.SSLCertVerificationError as error:
            sock.close()
            raise TrackingError(f"the certificate of {where} is not trusted: {error.verify_message}") from error
        except TimeoutError as error:
            sock.close()
            raise _ConnectionFailedError(f"the TLS handshake with {where} took longer than allowed") from error
        except OSError as error:
            sock.close()
            cause = getattr(error, "reason", None) or error.strerror or "connection closed"
            raise _ConnectionFailedError(f"the TLS handshake with {where} failed: {cause}") from error

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, deadline: Deadline
    ) -> Answer:
        request = f"{method} {target.partition('?')[0]}"
        sock = self._open(deadline)
        started = time.monotonic()
        try:
            connection = http.client.HTTPConnection(self.endpoint.authority)
            connection.sock = _TimedSocket(sock, deadline)
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            content = _read(response)
        except TimeoutError as error:
            raise _ConnectionFailedError(f"{request} got no complete answer in time", sent=True) from error
        except http.client.IncompleteRead as error:
            raise _ConnectionFailedError(f"{request} got an answer that is cut short", sent=True) from error
        except http.client.HTTPException as error:
            cause = printable(str(error), 80) or type(error).__name__
            raise _ConnectionFailedError(f"{request} got no valid HTTP answer: {cause}", sent=True) from error
        except OSError as error:
            cause = error.strerror or "connection closed"
            raise _ConnectionFailedError(f"{request} lost its connection: {cause}", sent=True) from error
        finally:
            sock.close()
        kind = response.headers.get("Content-Type", "")
        answer = Answer(request, response.status, content, kind, _milliseconds(started))
        if 200 <= answer.status < 300:
            return answer
        raise _error_of(answer, response.headers.get("Location"))


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's CAs, or the given file's and no others."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise TrackingError(f"ca_file is {ca_file!r}: holds no certificate. Give a PEM file.") from error
    except OSError as error:
        cause = error.strerror or error
        raise TrackingError(f"ca_file is {ca_file!r}: {cause}. Give a readable PEM file on this host.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def printable(text: str, limit: int) -> str:
    """Fold the text to one line of bounded length: servers answer with whole pages and SQL statements."""
    line = " ".join(text.split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _error_of(answer: Answer, location: str | None) -> TrackingError:
    """Turn an answer that isn't a success into one sentence, with MLflow's own words where it gave any."""
    code, words = "", ""
    try:
        decoded = json.loads(answer.body)
        code, words = str(decoded.get("error_code", "")), str(decoded.get("message", ""))
    except (ValueError, AttributeError):
        words = answer.body.decode("utf-8", "replace") if answer.content_type.startswith("text/plain") else ""
    if location:
        words = f"redirects to {location}, which is not followed: give the final address"
    said = " ".join(part for part in (str(answer.status), code) if part)
    words = printable(words, 200)
    reason = f"{answer.request} answered {said}" + (f": {words}" if words else "")
    return TrackingError(reason, status=answer.status, code=code, sent=True)


def _read(response: http.client.HTTPResponse) -> bytes:
    """Read the body; http.client doesn't complain of a short one when it is read in pieces, so that is done here."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.read(65536):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise http.client.HTTPException(f"the answer exceeds {LARGEST_ANSWER} bytes")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Try the host's addresses in turn, all within the deadline."""
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _name, address in _resolve(host, port, deadline):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(deadline.require())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure


def _resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Look the name up in a thread: the system's resolver knows no timeout, and may take half a minute."""
    outcome: list[list[Any] | OSError] = []

    def look_up() -> None:
        try:
            outcome.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            outcome.append(error)
        except UnicodeError:
            outcome.append(OSError("not a valid host name"))

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


class _TimedSocket:
    """What http.client needs of a socket, with every single operation given just the time that is left."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(self._deadline.require())
            view = view[self._sock.send(view) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))

    def close(self) -> None:
        """Leave it open: http.client closes early, while the answer is still being read. Its owner closes it."""


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.require())
        return self._sock.recv_into(buffer)
