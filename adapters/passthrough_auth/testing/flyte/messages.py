"""Converts Flyte's messages to and from the plain data of the local endpoint."""

# flyteidl2 brings its types in .pyi files but no py.typed marker.
# pyright: reportMissingTypeStubs=false

from collections.abc import Iterable, Mapping
from typing import Any

from flyteidl2.common import phase_pb2 as phase
from flyteidl2.common.identifier_pb2 import ActionIdentifier, RunIdentifier, UserIdentifier
from flyteidl2.common.identity_pb2 import EnrichedIdentity, User, UserSpec
from flyteidl2.core import identifier_pb2 as identifier
from flyteidl2.core import interface_pb2 as interface
from flyteidl2.core.literals_pb2 import Literal, Primitive, Scalar
from flyteidl2.core.tasks_pb2 import TaskTemplate
from flyteidl2.core.types_pb2 import BOOLEAN, FLOAT, INTEGER, STRING, LiteralType
from flyteidl2.task import task_definition_pb2 as task_definition
from flyteidl2.task.common_pb2 import NamedLiteral, NamedParameter
from flyteidl2.workflow import run_definition_pb2 as run_definition

from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.model import Run, Task

_SIMPLE_TYPES = {"int": INTEGER, "float": FLOAT, "str": STRING, "bool": BOOLEAN}
_PRIMITIVES = {"int": "integer", "float": "float_value", "str": "string_value", "bool": "boolean"}
_PHASES = {
    "queued": phase.ACTION_PHASE_QUEUED,
    "running": phase.ACTION_PHASE_RUNNING,
    "succeeded": phase.ACTION_PHASE_SUCCEEDED,
}


def native(literals: Iterable[NamedLiteral]) -> dict[str, Any]:
    """Return a run's inputs by name: as plain values if possible, else as protobuf's text."""
    return {named.name: _native(named.value) for named in literals}


def _native(literal: Literal) -> Any:
    primitive = literal.scalar.primitive
    kind = primitive.WhichOneof("value")
    if kind in _PRIMITIVES.values():
        return getattr(primitive, kind)
    return str(literal)


def task(task: Task, backend: Backend, org: str) -> task_definition.Task:
    """Return the task as in a listing, without its interface."""
    return task_definition.Task(task_id=_task_id(task, backend, org))


def task_details(task: Task, backend: Backend, org: str) -> task_definition.TaskDetails:
    """Return the task with its interface."""
    variables = {
        name: interface.Variable(type=LiteralType(simple=_SIMPLE_TYPES[kind]))
        for name, kind in task.inputs.items()
    }
    defaults: list[NamedParameter] = []
    for name, value in task.defaults.items():
        default = _literal(task.inputs[name], value)
        parameter = interface.Parameter(var=variables[name], default=default)
        defaults.append(NamedParameter(name=name, parameter=parameter))
    inputs = interface.VariableMap(
        variables=[interface.VariableEntry(key=each, value=variables[each]) for each in variables]
    )
    template = TaskTemplate(
        id=identifier.Identifier(
            resource_type=identifier.TASK,
            **_place(backend, org),
            name=task.name,
            version=task.version,
        ),
        type="python",
        interface=interface.TypedInterface(inputs=inputs),
    )
    return task_definition.TaskDetails(
        task_id=_task_id(task, backend, org),
        spec=task_definition.TaskSpec(
            task_template=template, default_inputs=defaults, short_name=task.name
        ),
    )


def _literal(kind: str, value: object) -> Literal:
    fields: Mapping[str, Any] = {_PRIMITIVES[kind]: value}
    return Literal(scalar=Scalar(primitive=Primitive(**fields)))


def _task_id(task: Task, backend: Backend, org: str) -> task_definition.TaskIdentifier:
    place = _place(backend, org)
    return task_definition.TaskIdentifier(**place, name=task.name, version=task.version)


def _place(backend: Backend, org: str) -> dict[str, Any]:
    return {"org": org, "project": backend.project, "domain": backend.domain}


def run(run: Run, backend: Backend, org: str) -> run_definition.Run:
    """Return the run, with the action at its root."""
    details = action_details(run, backend, org)
    return run_definition.Run(
        action=run_definition.Action(
            id=details.id, metadata=details.metadata, status=details.status
        )
    )


def run_details(run: Run, backend: Backend, org: str) -> run_definition.RunDetails:
    """Return the run with the details of the action at its root."""
    return run_definition.RunDetails(action=action_details(run, backend, org))


def action_details(run: Run, backend: Backend, org: str) -> run_definition.ActionDetails:
    """Return the action at the root of the run: executed by the caller who created it."""
    task = Task(name=run.task, version=run.version)
    user = User(
        id=UserIdentifier(subject=run.caller),
        spec=UserSpec(first_name=backend.name_of(run.caller)),
    )
    return run_definition.ActionDetails(
        id=ActionIdentifier(name="a0", run=RunIdentifier(**_place(backend, org), name=run.name)),
        metadata=run_definition.ActionMetadata(
            executed_by=EnrichedIdentity(user=user),
            task=run_definition.TaskActionMetadata(
                id=_task_id(task, backend, org), short_name=run.task
            ),
            action_type=run_definition.ACTION_TYPE_TASK,
        ),
        status=run_definition.ActionStatus(phase=_PHASES[run.phase], attempts=1),
    )
