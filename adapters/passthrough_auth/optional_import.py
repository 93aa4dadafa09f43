"""Names the extra to install if an adapter's framework or client is not installed."""

from types import TracebackType


class optional_import:
    """Wrap the imports of an adapter. If `module` is not installed, name the extra that has it.

    Raises `ModuleNotFoundError` with that text. Any other import error passes unchanged.
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
