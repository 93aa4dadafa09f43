"""Flyte's control plane as an ASGI application: the services of flyteidl2 that the SDK calls.

The application speaks the Connect protocol, with the servers that flyteidl2 generates for it.
"""

# flyteidl2 brings its types in .pyi files but no py.typed marker.
# pyright: reportMissingTypeStubs=false

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import Headers, RequestContext
from flyteidl2.auth.identity_connect import IdentityService, IdentityServiceASGIApplication
from flyteidl2.auth.identity_pb2 import UserInfoRequest, UserInfoResponse
from flyteidl2.cluster.payload_pb2 import SelectClusterRequest, SelectClusterResponse
from flyteidl2.cluster.service_connect import ClusterService, ClusterServiceASGIApplication
from flyteidl2.common.list_pb2 import Filter, ListRequest, Sort
from flyteidl2.common.run_pb2 import OffloadedInputData
from flyteidl2.dataproxy.dataproxy_service_connect import (
    DataProxyService,
    DataProxyServiceASGIApplication,
)
from flyteidl2.dataproxy.dataproxy_service_pb2 import UploadInputsRequest, UploadInputsResponse
from flyteidl2.task import task_service_pb2 as task_service
from flyteidl2.task.task_service_connect import TaskService, TaskServiceASGIApplication
from flyteidl2.workflow import run_service_pb2 as run_service
from flyteidl2.workflow.run_service_connect import RunService, RunServiceASGIApplication

from passthrough_auth.testing.flyte import messages
from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.guard import Guard, HangUp, record

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

_Item = TypeVar("_Item")
_Context = RequestContext[Any, Any]


def application(backend: Backend, hang_up: HangUp) -> "ASGI3Application":
    """Return the control plane for this backend, as an ASGI application."""
    guards = (Guard(backend, hang_up),)
    services = (
        IdentityServiceASGIApplication(_Identity(backend), interceptors=guards),
        ClusterServiceASGIApplication(_Cluster(backend), interceptors=guards),
        DataProxyServiceASGIApplication(_DataProxy(backend), interceptors=guards),
        TaskServiceASGIApplication(_Tasks(backend), interceptors=guards),
        RunServiceASGIApplication(_Runs(backend), interceptors=guards),
    )
    mounted = {service.path: service for service in services}

    async def app(scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        if scope["type"] != "http":  # pragma: no cover - the server is told to send nothing else
            raise RuntimeError(f"unexpected scope type {scope['type']}")
        service, _, method = scope["path"].rpartition("/")
        if service in mounted:
            await mounted[service](scope, receive, send)
            return
        headers = Headers()
        for name, value in scope["headers"]:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
        record(backend, service.strip("/"), method, headers, Code.UNIMPLEMENTED.value)
        # The Connect protocol reads a 404 as UNIMPLEMENTED.
        await send({"type": "http.response.start", "status": 404, "headers": [], "trailers": False})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


class _OnBackend:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend


class _Identity(_OnBackend, IdentityService):
    async def user_info(self, request: UserInfoRequest, ctx: _Context) -> UserInfoResponse:
        caller = self._backend.identify(ctx.request_headers())
        return UserInfoResponse(subject=caller.subject, name=caller.name)


class _Cluster(_OnBackend, ClusterService):
    async def select_cluster(
        self, request: SelectClusterRequest, ctx: _Context
    ) -> SelectClusterResponse:
        # Empty means: stay on this host.
        return SelectClusterResponse(cluster_endpoint=self._backend.cluster)


class _DataProxy(_OnBackend, DataProxyService):
    async def upload_inputs(
        self, request: UploadInputsRequest, ctx: _Context
    ) -> UploadInputsResponse:
        caller = self._backend.identify(ctx.request_headers())
        inputs = messages.native(request.inputs.literals)
        uri = self._backend.keep_inputs(caller, inputs)
        return UploadInputsResponse(
            # The hash is only compared, so the URI can stand for it.
            offloaded_input_data=OffloadedInputData(uri=uri, inputs_hash=uri)
        )


class _Tasks(_OnBackend, TaskService):
    async def list_tasks(
        self, request: task_service.ListTasksRequest, ctx: _Context
    ) -> task_service.ListTasksResponse:
        wanted = _equals(request.request, "name")
        tasks = [task for task in self._backend.tasks if wanted.get("name") in (None, task.name)]
        # They are in the order of their creation; the SDK finds the latest in descending order.
        if request.request.sort_by.direction == Sort.DESCENDING:
            tasks.reverse()
        if not _is_home(self._backend, request.project_id.name, request.project_id.domain):
            tasks = []
        page, token = _page(tasks, request.request)
        return task_service.ListTasksResponse(
            tasks=[messages.task(task, self._backend, request.org) for task in page], token=token
        )

    async def get_task_details(
        self, request: task_service.GetTaskDetailsRequest, ctx: _Context
    ) -> task_service.GetTaskDetailsResponse:
        wanted = request.task_id
        if not _is_home(self._backend, wanted.project, wanted.domain):
            raise ConnectError(Code.NOT_FOUND, f"no project {wanted.project} {wanted.domain}")
        task = self._backend.find_task(wanted.name, wanted.version)
        details = messages.task_details(task, self._backend, wanted.org)
        return task_service.GetTaskDetailsResponse(details=details)


class _Runs(_OnBackend, RunService):
    async def create_run(
        self, request: run_service.CreateRunRequest, ctx: _Context
    ) -> run_service.CreateRunResponse:
        caller = self._backend.identify(ctx.request_headers())
        if not request.HasField("task_id"):
            raise ConnectError(Code.UNIMPLEMENTED, "only deployed tasks can be run here")
        task = self._backend.find_task(request.task_id.name, request.task_id.version)
        uri = request.offloaded_input_data.uri
        run = self._backend.create_run(caller, task, uri, request.run_id.name)
        org = request.run_id.org or request.project_id.organization
        return run_service.CreateRunResponse(run=messages.run(run, self._backend, org))

    async def list_runs(
        self, request: run_service.ListRunsRequest, ctx: _Context
    ) -> run_service.ListRunsResponse:
        wanted = _equals(request.request, "created_by", "task_name", "task_version")
        runs = [
            run
            for run in reversed(self._backend.runs())
            if wanted.items()
            <= {
                "created_by": run.caller,
                "task_name": run.task,
                "task_version": run.version,
            }.items()
        ]
        if not _is_home(self._backend, request.project_id.name, request.project_id.domain):
            runs = []
        page, token = _page(runs, request.request)
        return run_service.ListRunsResponse(
            runs=[messages.run(run, self._backend, request.org) for run in page], token=token
        )

    async def get_run_details(
        self, request: run_service.GetRunDetailsRequest, ctx: _Context
    ) -> run_service.GetRunDetailsResponse:
        run = self._backend.find_run(request.run_id.name)
        details = messages.run_details(run, self._backend, request.run_id.org)
        return run_service.GetRunDetailsResponse(details=details)

    async def get_action_details(
        self, request: run_service.GetActionDetailsRequest, ctx: _Context
    ) -> run_service.GetActionDetailsResponse:
        run = self._backend.find_run(request.action_id.run.name)
        details = messages.action_details(run, self._backend, request.action_id.run.org)
        return run_service.GetActionDetailsResponse(details=details)

    async def watch_action_details(
        self, request: run_service.WatchActionDetailsRequest, ctx: _Context
    ) -> AsyncIterator[run_service.WatchActionDetailsResponse]:
        wanted = request.action_id.run
        # A run changes its phase only while it is watched, so tests depend on no clock.
        for phase in ("running", "succeeded"):
            run = self._backend.move_run(wanted.name, phase)
            details = messages.action_details(run, self._backend, wanted.org)
            yield run_service.WatchActionDetailsResponse(details=details)


def _is_home(backend: Backend, project: str, domain: str) -> bool:
    """Return whether this is the endpoint's only project."""
    return (project, domain) == (backend.project, backend.domain)


def _equals(request: ListRequest, *served: str) -> dict[str, str]:
    """Return the fields by which a listing filters, with their required values.

    Raises ConnectError UNIMPLEMENTED for other filters: to ignore one would list too much.
    """
    wanted: dict[str, str] = {}
    for asked in request.filters:
        if asked.function != Filter.EQUAL or asked.field not in served or len(asked.values) != 1:
            raise ConnectError(Code.UNIMPLEMENTED, f"can't filter by {asked.field} here")
        wanted[asked.field] = asked.values[0]
    return wanted


def _page(items: list[_Item], request: ListRequest) -> tuple[list[_Item], str]:
    """Return the requested page, and the token of the next one (empty after the last)."""
    start = int(request.token or 0)
    end = start + (request.limit or len(items))
    return items[start:end], str(end) if end < len(items) else ""
