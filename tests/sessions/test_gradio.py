"""Gradio's handlers, called by its own client, two visitors at once."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gradio_client import Client

VISITORS = ("alice", "bob")
EVENTS = ("sync", "async", "stream", "astream", "unqueued", "chat")


@pytest.fixture(scope="module")
def clients(serve):
    origin = serve("gradio_app:app")
    return {
        name: Client(f"{origin}/ui", headers={"Authorization": f"Bearer {name}"}, verbose=False)
        for name in VISITORS
    }


def call(client, event):
    arguments = ("hello",) if event in ("chat", "batched") else ()
    return client.predict(*arguments, api_name=f"/{event}")


@pytest.mark.parametrize("event", EVENTS)
def test_a_handler_acts_as_the_visitor_whose_event_it_is(event, clients):
    with ThreadPoolExecutor(2) as pool:
        answers = {
            name: list(pool.map(lambda _, name=name: call(clients[name], event), range(5)))
            for name in VISITORS
        }
    assert answers == {name: [name] * 5 for name in VISITORS}


def test_each_step_of_a_stream_does(clients):
    jobs = {name: clients[name].submit(api_name="/stream") for name in VISITORS}
    for name, job in jobs.items():
        job.result()
        assert set(job.outputs()) == {name}


def test_one_call_for_the_events_of_several_visitors_is_nobodys(clients):
    jobs = [clients[name].submit("hello", api_name="/batched") for name in VISITORS * 4]
    answers = {job.result() for job in jobs}
    assert answers <= {"outside", "ended"}


def test_what_a_finished_event_left_behind_is_nobodys(clients):
    assert call(clients["alice"], "leave") == "alice"
    deadline = time.monotonic() + 30
    while not (left := call(clients["alice"], "left")):
        assert time.monotonic() < deadline, "the task did not go on"
        time.sleep(0.1)
    assert left in {"outside", "ended"}


def test_with_a_server_of_its_own_each_event_is_its_visitor_s(serve):
    """That server calls itself at start-up, where there is nobody yet."""
    origin = serve("gradio_launch.py")
    launched = {
        name: Client(origin, headers={"Authorization": f"Bearer {name}"}, verbose=False)
        for name in VISITORS
    }
    for _ in range(3):
        for name, client in launched.items():
            assert call(client, "who") == name
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        httpx.get(origin).raise_for_status()
