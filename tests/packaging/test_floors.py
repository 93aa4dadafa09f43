"""The environments with the oldest versions install what pyproject.toml promises to work with."""

import re
from configparser import ConfigParser

import pytest

FLOORS = {
    "testenv:py311-lowest": ("cli", "django", "fastapi", "flask", "testing"),
    "testenv:py311-clients-lowest": ("aiohttp", "grpc", "httpx", "httpx2", "requests"),
    "testenv:py311-flyte-lowest": ("demo", "flyte"),
}


@pytest.mark.parametrize("environment", FLOORS)
def test_every_floor_is_pinned_where_the_oldest_versions_are_tested(root, pyproject, environment):
    config = ConfigParser(interpolation=None)
    config.read(root / "tox.ini", encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", config[environment]["deps"], re.MULTILINE))
    extras = pyproject["project"]["optional-dependencies"]
    floors = dict(
        re.fullmatch(r"([\w.-]+)(?:\[.+\])?>=(.+)", requirement).groups()
        for extra in FLOORS[environment]
        for requirement in extras[extra]
        if not requirement.startswith("passthrough-auth[")  # other extras, with floors of their own
    )

    assert floors.keys() <= pins.keys()
    assert {name: _numbers(pins[name]) for name in floors} == {
        name: _numbers(floor) for name, floor in floors.items()
    }


def _numbers(version: str) -> tuple[int, ...]:
    """The release as numbers without trailing zeros: 3.0 and 3.0.0 are one version."""
    numbers = [int(number) for number in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
