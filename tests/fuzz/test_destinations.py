"""The properties of destinations hold with every client library, and each of them can fail."""

import re

import pytest
from tests.fuzz import destination_properties as properties
from tests.fuzz.runner import check, is_documented, is_refuted

from passthrough_auth.core import DestinationNotAllowed, Destinations, origin
from passthrough_auth.core.outbound import _destination as destination
from passthrough_auth.core.outbound import _destinations as destinations
from passthrough_auth.core.outbound import _redirects as redirects

each_property = pytest.mark.parametrize("holds", properties.PROPERTIES, ids=lambda p: p.__name__)


@each_property
def test_a_property_holds(holds):
    check(holds, examples=500)


# --- Faults that are found ------------------------------------------------------------------------

true_origin = origin.origin_of
true_alone = origin.origin_alone
true_find = Destinations._find
true_carry = Destinations.carry


def of_the_last_at(url):
    return true_alone(re.sub(r"//[^/?#]*@", "//", url))


def of_the_first_at(url):
    return true_origin(re.sub(r"@[^/?#]*", "", url))


def up_to_white_space(url):
    return true_origin(re.split(r"[\t\r\n]", url)[0])


def with_backslashes(url):
    return true_origin(url.replace("\\", "/"))


def any_scheme(url):
    return true_origin(re.sub(r"\Ahttp:", "https:", url))


def any_port(url):
    return true_origin(re.sub(r":[0-9]+(?=[/?#]|\Z)", "", url))


def quoting(url):
    found = true_origin(url)
    if found is None:
        raise DestinationNotAllowed(f"{url!r} is none")
    return found


def no_default_ports(url):
    return None if re.search(r":443(?=[/?#]|\Z)", url) else true_origin(url)


def by_ending(self, called):
    """A wildcard that matches every host with that ending."""
    found = true_find(self, called)
    for each in self._wildcards.values():
        if found is None and called.host.endswith(each.origin.host):
            return each
    return found


def the_name_itself(self, called):
    return true_find(self, called) or self._wildcards.get(called)


def only_adding(self, url, headers, redirects=None):
    """The app's own headers are kept on every redirect."""
    own = dict(headers)
    found = true_carry(self, url, headers, redirects)
    headers.update({name: value for name, value in own.items() if name not in headers})
    return found


def always_at_the_start(self, url, headers, redirects=None):
    """The first origin's credential is sent on every hop."""
    found = true_carry(self, url, headers, redirects)
    headers["x-token"] = properties.SECRET
    return found


def forgetting_the_stranger(self, url, headers, redirects=None):
    """A named origin is called as the caller again, wherever the call has been."""
    return true_carry(self, url, headers, redirects and redirects._replace(strayed=False))


def any_cookie(headers, first):
    return first or ""


def never(*_):
    return None


def anyone(host):
    return True


FAULTS = {
    properties.no_unnamed_host_gets_credentials: [
        (destinations, "origin_of", of_the_first_at),
        (destinations, "origin_of", up_to_white_space),
        (destinations, "origin_of", with_backslashes),
        (destinations, "origin_of", any_scheme),
        (destinations, "origin_of", any_port),
        (destinations, "origin_of", quoting),
        (Destinations, "_find", by_ending),
        (Destinations, "_find", the_name_itself),
    ],
    properties.each_client_checks_the_host_that_it_connects_to: [
        (properties, "origin_of", of_the_first_at),
        (properties, "origin_of", with_backslashes),
    ],
    properties.a_plain_url_of_a_named_origin_gets_its_credentials: [
        (destinations, "origin_of", no_default_ports),
        (Destinations, "_wildcard_above", never),
    ],
    properties.no_hop_takes_credentials_to_an_unnamed_origin: [
        (Destinations, "carry", only_adding),
        (Destinations, "carry", always_at_the_start),
        (Destinations, "carry", forgetting_the_stranger),
        (redirects, "keep_first_cookie", any_cookie),
        (redirects, "origin_of", any_port),
    ],
    properties.a_destination_is_one_origin_or_a_configuration_error: [
        (destination, "origin_alone", of_the_last_at),
        (destination, "origin_alone", true_origin),
        (destination, "_has_subdomains", anyone),
        (destination, "redacted", repr),
        (destination, "_check_scheme", never),
    ],
}


@pytest.mark.parametrize(
    ("holds", "place", "name", "fault"),
    [
        pytest.param(holds, *fault, id=f"{holds.__name__}-{fault[2].__name__}")
        for holds, faults in FAULTS.items()
        for fault in faults
    ],
)
def test_a_property_finds_a_fault(holds, place, name, fault, monkeypatch):
    assert hasattr(place, name)
    monkeypatch.setattr(place, name, fault)

    assert is_refuted(holds, inputs=20_000)


def test_each_property_finds_a_fault():
    assert set(FAULTS) == set(properties.PROPERTIES)


@each_property
def test_a_property_is_documented(holds):
    assert is_documented(holds)
