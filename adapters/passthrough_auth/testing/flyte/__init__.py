"""A local Flyte endpoint for tests, demos and development. The real SDK calls it.

Needs the packages of the `flyte` and `testing` extras.
"""

try:
    from passthrough_auth.testing.flyte.endpoint import FlyteEndpoint
    from passthrough_auth.testing.flyte.model import FAULTS, METHODS, Call, Caller, Fault, Run, Task
except ModuleNotFoundError as error:
    if (error.name or "").startswith("passthrough_auth"):
        raise
    raise ModuleNotFoundError(
        f"passthrough_auth.testing.flyte needs {error.name}: "
        "pip install 'passthrough-auth[flyte,testing]'",
        name=error.name,
    ) from error

__all__ = ["FAULTS", "METHODS", "Call", "Caller", "Fault", "FlyteEndpoint", "Run", "Task"]
