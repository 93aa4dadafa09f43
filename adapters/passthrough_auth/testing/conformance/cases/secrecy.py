"""Texts and logs, which never show a credential."""

from collections.abc import Iterable

from passthrough_auth.testing.conformance.model import (
    Call,
    Case,
    all_of,
    hides,
    refused,
    sees,
    shows,
    status,
    without,
)

from .common import ALICE, SEES_ALICE, authorization


def secret_cases() -> Iterable[Case]:
    """The texts of objects and exceptions, and the log."""
    secret = authorization(b"Bearer s3cret")
    yield Case(
        "secret: every text of the caller",
        "repr, str, format, pickling and exception texts never contain a value.",
        (
            Call(b"/texts", secret),
            all_of(
                status(200),
                shows("<Credentials authorization "),
                hides("s3cret"),
            ),
        ),
    )
    yield Case(
        "secret: what is logged",
        "No log record contains a value, whether the request was refused, admitted or failed.",
        (Call(headers=authorization(b"s3cret")), refused("malformed")),
        (Call(headers=secret), sees(authorization="Bearer s3cret")),
        (Call(b"/upstream-refuses", secret), status(401)),
        (Call(b"/crash", secret), status(500)),
        (Call(b"/logged", ALICE), all_of(SEES_ALICE, without("s3cret"))),
    )
