"""Settings for the property tests of core, and its clock."""

import pytest
from hypothesis import HealthCheck, settings

from passthrough_auth.core.caller import _snapshot

# No deadline for an example: its time depends on the machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


class Clock:
    """The clock of snapshots. Its time passes only when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_snapshot, "monotonic", clock)
    return clock
