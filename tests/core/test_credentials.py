"""Credentials can't be changed, and show a fingerprint instead of their secret."""

import copy
import subprocess
import sys
import textwrap

import pytest

from passthrough_auth.core import Credential, Credentials

BEARER = ("authorization", "Bearer alice")
COOKIE = ("cookie", "session=alice")


@pytest.fixture
def credentials():
    return Credentials(BEARER, COOKIE)


def test_headers_are_a_plain_dict_of_their_own(credentials):
    headers = credentials.headers()
    headers["x-more"] = "1"

    assert type(headers) is dict
    assert credentials.headers() == dict([BEARER, COOKIE])


def test_pairs_come_in_the_order_of_the_extractors(credentials):
    assert credentials.pairs() == (BEARER, COOKIE)
    assert [(each.name, each.value) for each in credentials] == [BEARER, COOKIE]


def test_a_credential_is_found_under_its_name_in_any_case(credentials):
    assert credentials.get("Authorization") == Credential(*BEARER)
    assert credentials.get("x-token") is None
    assert "COOKIE" in credentials
    assert "x-token" not in credentials
    assert 7 not in credentials


def test_empty_credentials_are_false(credentials):
    assert not Credentials()
    assert credentials
    assert len(credentials) == 2


def test_equal_credentials_are_equal_and_hash_alike(credentials):
    """So answers can be cached for each credential."""
    assert credentials == Credentials(BEARER, COOKIE)
    assert credentials != Credentials(COOKIE, BEARER)
    assert credentials != dict([BEARER, COOKIE])
    assert hash(credentials) == hash(Credentials(BEARER, COOKIE))
    assert Credential(*BEARER) == Credential(*BEARER)
    assert Credential(*BEARER) != Credential("authorization", "Bearer bob")
    assert Credential(*BEARER) != BEARER
    assert hash(Credential(*BEARER)) == hash(Credential(*BEARER))


@pytest.mark.parametrize("secret", [Credential(*BEARER), Credentials(BEARER)])
@pytest.mark.parametrize("name", ["value", "_pairs", "anything"])
def test_nothing_can_be_changed(secret, name):
    with pytest.raises(AttributeError, match="is immutable"):
        setattr(secret, name, "x")
    with pytest.raises(AttributeError, match="is immutable"):
        delattr(secret, name)


@pytest.mark.parametrize("secret", [Credential(*BEARER), Credentials(BEARER)])
def test_a_copy_is_the_same_object(secret):
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"deep": [secret]})["deep"][0] is secret


def test_the_repr_names_the_credential_and_its_fingerprint():
    credential = Credential(*BEARER)

    assert repr(credential) == f"<Credential authorization {credential.fingerprint}>"
    assert repr(Credentials(BEARER)) == f"<Credentials authorization {credential.fingerprint}>"
    assert repr(Credentials()) == "<Credentials of nobody>"
    assert f"{credential:>60}" == f"{credential!r:>60}"


def test_a_fingerprint_tells_credentials_apart_within_the_process():
    assert Credential(*BEARER).fingerprint == Credential(*BEARER).fingerprint
    assert Credential(*BEARER).fingerprint != Credential("authorization", "Bearer bob").fingerprint
    assert len(Credential(*BEARER).fingerprint) == 16


def test_a_fingerprint_of_undecodable_text_is_no_error():
    assert Credential("x-token", "\ud800").fingerprint


def test_another_process_has_other_fingerprints():
    """Nobody can look up a token by a fingerprint from a log, also not from a forked worker's."""
    code = """
        import os
        from passthrough_auth.core import Credential

        credential = Credential("authorization", "Bearer alice")
        print(credential.fingerprint, flush=True)
        if os.fork():
            os.wait()
        else:
            print(credential.fingerprint, flush=True)
            os._exit(0)
    """
    printed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True
    ).stdout.split()

    assert len({*printed, Credential(*BEARER).fingerprint}) == 3
