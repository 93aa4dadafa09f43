"""Acting as a caller outside of requests."""

from collections.abc import Iterable
from typing import final

from passthrough_auth.core._credential_rules import name_problem, valid_value
from passthrough_auth.core.errors import MalformedCredential

from ._bindings import Binding, checked_bindings
from ._context import CallerScope
from ._credentials import Credentials


@final
class acting_as:
    """Act as a caller outside requests, and in tests. Make a new one for each `with` block.

        with acting_as(("authorization", "Bearer ...")):
            ...

    When blocks are nested, the inner one replaces the outer. The pairs are checked like the
    credentials of a request, and each name may appear only once. Work that outlives the block finds
    no caller, as after a request. `bindings` means the same as for `Gate`: None binds the clients
    that the application has imported.

    Raises `ValueError` without pairs, `MalformedCredential` for an invalid pair, and
    `RuntimeError` if it is entered a second time.
    """

    __slots__ = ("_active", "_entered", "_scope")

    def __init__(self, *pairs: tuple[str, str], bindings: Iterable[Binding] | None = None) -> None:
        if not pairs:
            raise ValueError("acting_as needs at least one (name, value) pair")
        credentials = _checked_pairs(pairs)
        del pairs  # a traceback with locals would show them
        if isinstance(credentials, str):
            raise MalformedCredential(credentials)
        self._scope = CallerScope(credentials, bindings=checked_bindings(bindings))
        self._active = self._scope.active()
        self._entered = False

    def __enter__(self) -> Credentials:
        # Checked before the scope becomes current, because after an error `__exit__` doesn't run.
        if self._entered:
            raise RuntimeError("this acting_as was entered before: write one for each `with`")
        self._entered = True
        self._active.__enter__()
        return self._scope.credentials()

    def __exit__(self, *raised: object) -> None:
        try:
            self._active.__exit__(*raised)
        finally:
            self._scope.close()


def _checked_pairs(pairs: Iterable[object]) -> Credentials | str:
    """The credentials made from these pairs, or a text about what is wrong, without the values.

    This doesn't raise an error itself, because a traceback with locals would show the values.
    """
    checked: dict[str, str] = {}
    for pair in pairs:
        match pair:
            case (str(given), str(value)):
                name = given.lower()
            case _:
                return "acting_as takes pairs of text: write ('authorization', 'Bearer ...')"
        if name_problem(name) is not None:
            # The name isn't shown: if the pair is the wrong way round, the name is the secret.
            return (
                "a name given to acting_as can't be forwarded as a credential. Write "
                "(name, value), as in ('authorization', 'Bearer ...')"
            )
        valid = valid_value(name, value)
        if valid is None:
            hint = ": write 'Bearer ...'" if name == "authorization" else ""
            return f"the value given for {name!r} is malformed{hint}"
        if name in checked:
            return "acting_as was given two values under one name"
        checked[name] = valid
    return Credentials.of(checked)
