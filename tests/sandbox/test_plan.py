"""What the reconciler does about each difference between the API and Docker."""

from __future__ import annotations

import pytest

from sandbox.bodies import Actual, Container, Desired, Host, Network, Phase
from sandbox.plan import Action, Verb, plan

VPC = Network("vpc-1", "10.42.0.0/16")
ABSENT = None
RUNNING = Container("i-1", running=True, ready=False)
READY = Container("i-1", running=True, ready=True)
EXITED = Container("i-1", running=False, ready=False)


def host(phase: Phase) -> Host:
    """Make an instance in one phase."""
    return Host("i-1", "host", VPC.id, "10.42.0.4", phase, "trixie", "ip-10-42-0-4", "ssh-ed25519 AAAA")


@pytest.mark.parametrize(
    ("phase", "container", "verb"),
    [
        (Phase.STARTING, ABSENT, Verb.CREATE),
        (Phase.STARTING, EXITED, Verb.START),
        (Phase.STARTING, RUNNING, None),
        (Phase.STARTING, READY, Verb.REPORT_RUNNING),
        (Phase.RUNNING, RUNNING, None),
        (Phase.RUNNING, ABSENT, Verb.CREATE),
        (Phase.REBOOTING, RUNNING, Verb.RESTART),
        (Phase.REBOOTING, EXITED, Verb.RESTART),
        (Phase.CONFIGURING, RUNNING, None),
        (Phase.CONFIGURING, READY, Verb.CONFIGURE),
        (Phase.STOPPING, RUNNING, Verb.STOP),
        (Phase.STOPPING, EXITED, Verb.REPORT_STOPPED),
        (Phase.STOPPING, ABSENT, Verb.REPORT_STOPPED),
        (Phase.STOPPED, EXITED, None),
        (Phase.STOPPED, ABSENT, None),
    ],
)
def test_a_body_follows_the_api(phase: Phase, container: Container | None, verb: Verb | None) -> None:
    """Each phase and state of a container has at most one answer."""
    desired = Desired({VPC.id: VPC}, {"i-1": host(phase)})
    actual = Actual(frozenset({VPC.id}), {"i-1": container} if container else {})
    assert plan(desired, actual) == ([Action(verb, "i-1")] if verb else [])


@pytest.mark.parametrize(("phase", "container"), [(Phase.RUNNING, EXITED), (Phase.STOPPED, RUNNING)])
def test_a_fault_made_by_hand_stays(phase: Phase, container: Container) -> None:
    """Who stops a container tests a fault; the sandbox must not repair it behind their back."""
    desired = Desired({VPC.id: VPC}, {"i-1": host(phase)})
    assert plan(desired, Actual(frozenset({VPC.id}), {"i-1": container})) == []


def test_a_network_comes_before_its_first_body() -> None:
    """A container can only be made in a network that is there."""
    desired = Desired({VPC.id: VPC}, {"i-1": host(Phase.STARTING)})
    assert plan(desired, Actual(frozenset(), {})) == [Action(Verb.CREATE_NETWORK, VPC.id), Action(Verb.CREATE, "i-1")]


def test_a_network_goes_after_its_last_body() -> None:
    """Docker refuses to remove a network in use, so the plan waits until the container is seen gone."""
    nothing = Desired({}, {})
    assert plan(nothing, Actual(frozenset({VPC.id}), {"i-1": RUNNING})) == [Action(Verb.REMOVE, "i-1")]
    assert plan(nothing, Actual(frozenset({VPC.id}), {})) == [Action(Verb.REMOVE_NETWORK, VPC.id)]
    assert plan(nothing, Actual(frozenset(), {})) == []


def test_what_an_earlier_daemon_left_goes() -> None:
    """After a reboot of the machine the API is empty: containers of before belong to nothing."""
    desired = Desired({VPC.id: VPC}, {"i-1": host(Phase.RUNNING)})
    actual = Actual(frozenset({VPC.id}), {"i-0": Container("i-0", running=False, ready=False), "i-1": RUNNING})
    assert plan(desired, actual) == [Action(Verb.REMOVE, "i-0")]
