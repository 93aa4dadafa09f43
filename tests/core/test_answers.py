"""Upstream's answers to calls as the caller, and the errors that are raised for them."""

import pytest
from tests.core.builders import asgi

from passthrough_auth.core.caller import find_refusal, hand_on_mark, mark_answer
from passthrough_auth.core.inbound import Gate


class Response:
    """A response of some library."""


class LibraryError(Exception):
    """An error of some library, with or without the response that it is about."""

    def __init__(self, response=None):
        super().__init__()
        if response is not None:
            self.response = response


def marked(status):
    response = Response()
    mark_answer(response, status)
    return response


@pytest.mark.parametrize(("status", "answer"), [(401, 401), (403, 403), (404, None), (200, None)])
def test_an_error_about_a_marked_response_is_the_refusal_of_a_401_or_403(status, answer):
    error = LibraryError(marked(status))
    for raised in (error, caused_by(error), ExceptionGroup("", [error])):
        refusal = Gate(bindings=()).refusal_for(asgi(), raised)
        assert (refusal and refusal.status) == answer


def caused_by(error):
    other = ValueError()
    other.__cause__ = error
    return other


def test_an_error_about_another_response_is_none():
    for response in (None, Response(), 7):
        assert find_refusal(LibraryError(response), ()) is None
    beside = ExceptionGroup("", [LibraryError(marked(401)), ValueError()])
    assert find_refusal(beside, ()) is None


def test_the_error_itself_may_be_marked():
    error = LibraryError()
    mark_answer(error, 401)
    assert find_refusal(error, ()).status == 401


def test_the_status_may_be_known_only_later():
    error = LibraryError()
    mark_answer(error, lambda answer: 403 if answer is error else None)
    assert find_refusal(error, ()).status == 403


def test_a_mark_is_handed_on_to_an_error_without_its_response():
    error, other = LibraryError(), LibraryError()
    hand_on_mark(marked(401), error)
    hand_on_mark(Response(), other)
    assert find_refusal(error, ()).status == 401
    assert find_refusal(other, ()) is None


def test_what_computes_its_attributes_is_left_alone():
    class Computing(Exception):
        @property
        def response(self):
            raise RuntimeError

    assert find_refusal(Computing(), ()) is None
