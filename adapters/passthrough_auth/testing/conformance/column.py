"""A column of the matrix: the conformance app, built with one framework."""

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from .cases import CASES
from .layers import PREFIX, surrounded
from .model import Case, Feature, Interface
from .options import Options, options


@dataclass(frozen=True)
class Column:
    """How one framework builds the conformance app, and the features that it offers.

    `build` takes the adapter's options and returns the complete app, protected, with the routes
    that `routes` lists. The option `allow_preflight` is passed only if the column offers
    "allow-preflight".
    """

    name: str
    interface: Interface
    build: Callable[[Options], Any]
    offers: frozenset[Feature]
    mounted: bool = False

    def cases(self) -> list[Case]:
        """The cases that this column must pass: those that need only features it offers."""
        return [case for case in CASES if self._takes(case)]

    def _takes(self, case: Case) -> bool:
        return (
            case.needs <= self.offers
            and case.interface in (None, self.interface)
            and (case.mountable or not self.mounted)
        )

    def under_prefix(self) -> "Column":
        """The same app, mounted below a prefix in the interface's usual way."""
        return replace(self, name=f"{self.name} {PREFIX}", mounted=True)

    def app(self, variant: str) -> Any:
        """The app with the options of that name."""
        return _app(self, variant)


@cache
def _app(column: Column, variant: str) -> Any:
    app = column.build(options(variant))
    return surrounded(app, column.interface, mounted=column.mounted)


class Cell(NamedTuple):
    """One case of one column."""

    column: Column
    case: Case

    def __str__(self) -> str:
        return f"{self.column.name}: {self.case.name}"


def cells(*columns: Column) -> list[Cell]:
    """Every case for each of these columns, and for the same apps below a prefix."""
    return [Cell(column, case) for column in with_prefixes(columns) for case in column.cases()]


def with_prefixes(columns: Iterable[Column]) -> list[Column]:
    """Each column, and each once more below a prefix."""
    return [each for column in columns for each in (column, column.under_prefix())]


def named(names: Iterable[str], interface: Interface) -> list[Column]:
    """The columns of this interface with these names, each also below a prefix.

    A name is `module:attribute`; the attribute is a column or an iterable of columns.
    """
    found = [pkgutil.resolve_name(name) for name in names]
    columns = [one for each in found for one in ([each] if isinstance(each, Column) else each)]
    return with_prefixes(column for column in columns if column.interface == interface)
