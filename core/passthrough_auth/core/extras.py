"""Telling which extra to install where an adapter's framework or client is absent."""

from types import TracebackType


class requires_extra:
    """Wrap the imports of an adapter: if `module` is absent, name the extra that brings it.

    Raises `ModuleNotFoundError` with that text. Any other failed import passes unchanged.
    """

    def __init__(self, extra: str, *, module: str | None = None) -> None:
        self._extra = extra
        self._module = module or extra

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ModuleNotFoundError) and error.name == self._module:
            raise ModuleNotFoundError(
                f"{self._module} is not installed. Install it with: "
                f"pip install 'passthrough-auth[{self._extra}]'",
                name=error.name,
            ) from None
