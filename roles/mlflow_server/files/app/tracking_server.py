"""MLflow's tracking server, as ``mlflow server`` starts it, without what that costs a busy host.

Takes the options and the environment of ``mlflow server``, and differs from it in seven things:

* The process that ``mlflow server`` leaves behind to wait for uvicorn becomes uvicorn: 250 MB less.
* With basic authentication, a worker remembers what a user may do with the runs of an experiment, and which experiment
  a run belongs to, which never changes. MLflow asks its databases for that each time: who the user is, the run with all
  of its parameters and tags, and the user's grants. These are 22 of the 30 statements that a metric takes.
* With basic authentication, these requests go straight to MLflow's Flask app, which judges and handles them anyway. On
  their way there are three middlewares and a hundred routes that have nothing to do with them, a quarter of the
  processor time that a metric takes.
* The answers to them come from Flask's thread in one piece, another fifth. MLflow's way, made for long answers, wakes
  the event loop three times for each.
* With basic authentication, a batch takes one connection to the backend store: see ``batches``.
* A run that names no model is returned as it is. MLflow asks who the user is before it looks for models in it.
* With basic authentication, it tells nginx where in S3 an artifact is: see ``artifact_addresses``.

Only permission is remembered, never refusal: who isn't known to be allowed is MLflow's to judge, and the password is
MLflow's to check with each request. It is remembered for as long as MLflow remembers a right password,
``auth_cache_ttl_seconds``. Both end at once in all workers of a host when one of them changes users, roles or
permissions; by itself MLflow ends them in the worker that answered alone.

What it replaces of MLflow are private names: the tests hold them for each release of which the role has a lock.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request
    from werkzeug.wrappers import Response

# A line for each change of access: the user whom it is about. In the service's own folder, empty at its start.
MARK = Path(os.environ.get("RUNTIME_DIRECTORY", "/run/mlflow")) / "access-changes"

# The requests whose permission depends on the user and the run's experiment alone, and the fields for which that is so:
# a metric that names a model needs a right to the model too.
METRIC = frozenset({"key", "value", "timestamp", "step"})
FIELDS = {
    ("GET", "get"): frozenset({"run_id", "run_uuid"}),
    ("POST", "log-batch"): frozenset({"run_id", "metrics", "params", "tags"}),
    ("POST", "log-metric"): METRIC | {"run_id", "run_uuid"},
    ("POST", "log-parameter"): frozenset({"run_id", "run_uuid", "key", "value"}),
    ("POST", "set-tag"): frozenset({"run_id", "run_uuid", "key", "value"}),
}
PATHS = {
    (method, f"/{api}/2.0/mlflow/runs/{name}"): fields
    for api in ("api", "ajax-api")
    for (method, name), fields in FIELDS.items()
}
# MLflow's middlewares that do nothing for these requests.
IDLE = {"fastapi_permission_middleware", "gateway_timing_middleware", "workspace_context_middleware"}
ACCESS = re.compile(r"/mlflow/(?:users|roles)/|/permissions/")


def run_of(method: str, path: str, body: object) -> str | None:
    """Return the run that a request is about, if nothing else in it bears on whether it is permitted.

    Args:
        method: the request's method.
        path: its path.
        body: its parsed JSON, or the fields of its query.

    Returns:
        The run's id, or None for any request that MLflow itself has to judge.
    """
    fields = PATHS.get((method, path))
    if fields is None or not isinstance(body, dict) or not body.keys() <= fields:
        return None
    metrics = body.get("metrics", [])
    if not isinstance(metrics, list) or not all(isinstance(one, dict) and one.keys() <= METRIC for one in metrics):
        return None
    # As MLflow's own check reads it.
    run = body.get("run_id", body.get("run_uuid"))
    return run if isinstance(run, str) else None


class Memory:
    """What a worker remembers of who may do what with which runs, and what all workers of a host have changed.

    Args:
        find: returns the experiment of a run, or None.
        mark: file that all of them write to, there or not.
        seconds: for how long a permission is remembered.
        size: how many are, and how many runs.
        forget: called with a user's name when something about the user has changed.
    """

    def __init__(
        self,
        find: Callable[[str], str | None],
        mark: Path,
        seconds: float,
        size: int,
        forget: Callable[[str], None],
    ) -> None:
        from cachetools import LRUCache, TTLCache

        self._find = find
        self._mark = mark
        self._read = 0
        self._forget = forget
        self._permitted: TTLCache[tuple[object, ...], bool] = TTLCache(size, seconds)
        self._experiments: LRUCache[str, str] = LRUCache(size)
        self._lock = threading.Lock()

    def changes(self) -> int:
        """Forget whom others have changed; return a number that is another one after each change."""
        try:
            size = self._mark.stat().st_size
        except FileNotFoundError:
            return 0
        with self._lock:
            if size > self._read:
                with self._mark.open("rb") as mark:
                    mark.seek(self._read)
                    for name in mark.read(size - self._read).splitlines():
                        self._forget(json.loads(name))
                self._read = size
        return size

    def experiment_of(self, run: str) -> str | None:
        """Return the experiment of a run; None where there is no such run."""
        with self._lock:
            experiment = self._experiments.get(run)
        if experiment is None and (experiment := self._find(run)):
            with self._lock:
                self._experiments[run] = experiment
        return experiment

    def permits(self, key: tuple[object, ...]) -> bool:
        """Tell whether it was permitted."""
        with self._lock:
            return key in self._permitted

    def permit(self, key: tuple[object, ...]) -> None:
        """Remember a permission."""
        with self._lock:
            self._permitted[key] = True

    def note(self, request: Request, response: Response) -> None:
        """Let all workers know of a change of users, roles or permissions."""
        if request.method != "GET" and response.status_code < 400 and ACCESS.search(request.path):
            body = request.get_json(silent=True)
            name = body.get("username") if isinstance(body, dict) else None
            with self._mark.open("ab", buffering=0) as mark:
                mark.write(json.dumps(name or request.args.get("username", "")).encode() + b"\n")


def one_at_a_time(check: Callable[[str, str], Any], known: Callable[[str, str], bool]) -> Callable[[str, str], Any]:
    """Let the first of those that bring a new login at once find out, in 0.1 s, and the others what it remembers."""
    locks = [threading.Lock() for stripe in range(64)]

    def checked(username: str, password: str) -> Any:
        if known(username, password):
            return check(username, password)
        with locks[hash((username, password)) % len(locks)]:
            return check(username, password)

    return checked


def where_models_are(redact: Callable[[Response], None]) -> Callable[[Response], None]:
    """Let MLflow take models out of a run for those who may not see them, if there are any in it.

    MLflow first asks its database who the user is, and parses the run.
    """
    names = (b'"model_inputs"', b'"model_outputs"', b'"model_id"')

    def redacted(response: Response) -> None:
        content = response.get_data()
        if any(name in content for name in names):
            redact(response)

    return redacted


def create_app() -> Any:
    """Return MLflow's app with basic authentication and with this memory; uvicorn's workers call it."""
    from flask import g, request

    app: Any = import_module("mlflow.server").app
    auth: Any = import_module("mlflow.server.auth")
    settings: Any = import_module("mlflow.environment_variables")
    # In another workspace the same run may be another one.
    remembers = auth.auth_config.auth_cache_ttl_seconds > 0 and not settings.MLFLOW_ENABLE_WORKSPACES.get()
    if remembers:
        seconds, size = auth.auth_config.auth_cache_ttl_seconds, auth.auth_config.auth_cache_max_size
        memory = Memory(experiment_of, MARK, seconds, size, auth._invalidate_user_auth_cache)

        def known(username: str, password: str) -> bool:
            with auth._USER_AUTH_CACHE_LOCK:
                return auth._auth_cache_key(username, password) in auth._USER_AUTH_CACHE

        judge, authenticate = auth._before_request, one_at_a_time(auth._authenticate_cached, known)

        def check_password(username: str, password: str) -> Any:
            memory.changes()
            return authenticate(username, password)

        def check() -> Any:
            if (request.method, request.path) not in PATHS:
                return judge()
            body = request.args.to_dict() if request.method == "GET" else request.get_json(silent=True)
            run = run_of(request.method, request.path, body)
            if run is None or not isinstance(login := auth.authenticate_request(), auth.Authorization):
                return judge()
            # Counted before MLflow is asked: what it permits is of no use where there is a change meanwhile.
            changes = memory.changes()
            experiment = memory.experiment_of(run)
            if experiment is None:
                return judge()
            key = (changes, login.username, request.path, experiment)
            if memory.permits(key):
                g.mlflow_authenticated_user = login.username
                return None
            refusal = judge()
            if refusal is None:
                memory.permit(key)
            return refusal

        def note(response: Response) -> Response:
            memory.note(request, response)
            return response

        auth._before_request, auth._authenticate_cached = check, check_password
        for path in (path for method, path in PATHS if method == "GET"):
            # Older releases take nothing out.
            if redact := auth.AFTER_REQUEST_HANDLERS.get((path, "GET")):
                auth.AFTER_REQUEST_HANDLERS[path, "GET"] = where_models_are(redact)
        app.after_request(note)
    import_module("artifact_addresses").serve(app)
    import_module("batches").spare_the_outer_session()
    fastapi_app = auth.create_app(app)
    return straight(fastapi_app, app, auth) if remembers else fastapi_app


def experiment_of(run: str) -> str | None:
    """Return the experiment of a run, by one statement where MLflow's own way of looking it up takes ten."""
    store: Any = import_module("mlflow.server.handlers")._get_tracking_store()
    runs: Any = import_module("mlflow.store.tracking.dbmodels.models").SqlRun
    with store.ManagedSessionMaker() as session:
        found = session.query(runs.experiment_id).filter(runs.run_uuid == run).scalar()
    return None if found is None else str(found)


def straight(fastapi_app: Any, flask_app: Any, auth: Any) -> Any:
    """Lead what is logged to runs, and who gets one, past the middlewares and routes that don't concern them.

    MLflow's checks of host and origin stay before it. Where MLflow has a middleware that isn't known here, or comes to
    handle these requests elsewhere than in its Flask app, they go MLflow's way.
    """
    from starlette.middleware.base import BaseHTTPMiddleware

    functions = [one for one in fastapi_app.user_middleware if one.cls is BaseHTTPMiddleware]
    scope = {"type": "http", "root_path": "", "headers": [], "query_string": b""}
    native = auth._native_fastapi_routes(fastapi_app)
    if not {one.kwargs["dispatch"].__name__ for one in functions} <= IDLE or any(
        auth._scope_matches_native_route(native, {**scope, "method": method, "path": path}) for method, path in PATHS
    ):
        return fastapi_app
    short = in_one_piece(flask_app)
    for check in reversed([one for one in fastapi_app.user_middleware if one not in functions]):
        short = check.cls(short, *check.args, **check.kwargs)
    # A batch that names its run, or has a model's metrics, holds two connections to the database at once. When all
    # threads held one each and none was left, they would wait for each other until all of them failed.
    gate = asyncio.Semaphore(at_once(os.environ))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (scope["method"], scope["path"]) in PATHS:
            async with gate:
                await short(scope, receive, send)
        else:
            await fastapi_app(scope, receive, send)

    return app


def in_one_piece(flask_app: Any) -> Any:
    """Serve a Flask app whose answers are short: each goes from its thread to the event loop as a whole."""
    from anyio.to_thread import run_sync
    from starlette.requests import Request as Incoming
    from starlette.responses import Response as Answer
    from werkzeug.test import run_wsgi_app

    build_environ: Any = import_module("mlflow.server.fastapi_app").build_environ

    async def app(scope: Any, receive: Any, send: Any) -> None:
        environ = build_environ(scope, await Incoming(scope, receive).body())
        chunks, status, headers = await run_sync(run_wsgi_app, flask_app, environ, True)
        answer = Answer(b"".join(chunks), int(status.split()[0]))
        answer.raw_headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await answer(scope, receive, send)

    return app


def at_once(environment: Mapping[str, str]) -> int:
    """Return how many of these requests a worker handles at once: two thirds of its pool's connections are for them.

    Args:
        environment: with the pool's size and overflow, of which MLflow's own are 5 and 10.
    """
    prefix = "MLFLOW_SQLALCHEMYSTORE_"
    pool = int(environment.get(f"{prefix}POOL_SIZE", "5")) + int(environment.get(f"{prefix}MAX_OVERFLOW", "10"))
    return max(1, pool // 3)


def become(command: list[str], *, extra_env: Mapping[str, str], **_: object) -> None:
    """Replace this process by uvicorn, of which the last argument names the app."""
    os.environ.update(extra_env)
    if command[-1] == "mlflow.server.auth:create_app":
        here = Path(__file__)
        command = [*command[:-1], "--app-dir", str(here.parent), f"{here.stem}:{create_app.__name__}"]
    os.execv(command[0], command)


def main() -> None:
    """Start the server."""
    server: Any = import_module("mlflow.server")
    settings: Any = import_module("mlflow.environment_variables")
    # What runs jobs is started beside uvicorn, and needs the process that waits.
    if not settings.MLFLOW_SERVER_ENABLE_JOB_EXECUTION.get():
        server._exec_cmd = become
    import_module("mlflow.cli").cli(["server", *sys.argv[1:]])


if __name__ == "__main__":
    main()
