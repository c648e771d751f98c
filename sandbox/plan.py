"""What to do so that Docker has what the API says: a pure function."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sandbox.bodies import Actual, Container, Desired, Phase


class Verb(enum.Enum):
    """What can be done to a network or a body."""

    REMOVE = "remove"
    REMOVE_NETWORK = "remove network"
    CREATE_NETWORK = "create network"
    CREATE = "create"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    CONFIGURE = "configure"
    REPORT_RUNNING = "report running"
    REPORT_STOPPED = "report stopped"


@dataclass(frozen=True)
class Action:
    """One thing to do to one network or body."""

    verb: Verb
    target: str


def plan(desired: Desired, actual: Actual) -> list[Action]:
    """List the actions in their order; nothing where both agree.

    A body follows transitions of the API only. One that somebody stopped or started behind the API's back is a
    fault being tested, and stays as it is.
    """
    actions = [Action(Verb.REMOVE, body) for body in actual.containers if body not in desired.bodies]
    used = {body.network for body in desired.bodies.values()}
    # A network goes after its last container, seen gone: Docker refuses to remove one that is in use.
    if not actions:
        actions += [Action(Verb.REMOVE_NETWORK, network) for network in sorted(actual.networks - used)]
    actions += [Action(Verb.CREATE_NETWORK, network) for network in sorted(used - actual.networks)]
    for name, body in desired.bodies.items():
        verb = _verb(body.phase, actual.containers.get(name))
        if verb is not None:
            actions.append(Action(verb, name))
    return actions


def _verb(phase: Phase, container: Container | None) -> Verb | None:
    match phase, container:
        case Phase.STOPPING, None:
            return Verb.REPORT_STOPPED
        case Phase.STOPPED, None:
            return None
        case _, None:
            return Verb.CREATE
        case Phase.STARTING, Container(running=False):
            return Verb.START
        case Phase.STARTING, Container(ready=True):
            return Verb.REPORT_RUNNING
        case Phase.REBOOTING, _:
            return Verb.RESTART
        case Phase.CONFIGURING, Container(running=True, ready=True):
            return Verb.CONFIGURE
        case Phase.STOPPING, Container(running=True):
            return Verb.STOP
        case Phase.STOPPING, Container(running=False):
            return Verb.REPORT_STOPPED
    return None
