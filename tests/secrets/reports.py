"""Tracebacks with locals, in the styles of several tools."""

import io
import json
import logging
import traceback
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.traceback import Trace, Traceback
from tests.secrets.planted import leaked


def is_ours(frame):
    return "/passthrough_auth/" in frame.f_code.co_filename


def only(trace, wanted):
    """The traceback with only the wanted frames; None if there is none."""
    if trace is None:
        return None
    rest = only(trace.tb_next, wanted)
    if not wanted(trace.tb_frame):
        return rest
    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


def by_traceback(error, trace):
    """In the style of the standard library, and of pytest with --showlocals."""
    written = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    return "".join(written.format(chain=False))


def by_rich(error, trace):
    """In the style of rich, which Typer's apps use, for example."""
    out = io.StringIO()
    extracted = Traceback.extract(
        type(error), error, trace, show_locals=True, locals_max_length=None, locals_max_string=None
    )
    Console(file=out, width=500).print(Traceback(Trace(extracted.stacks[:1]), show_locals=True))
    return out.getvalue()


def by_debugger(error, trace):
    """In the style of cgitb and of debuggers: the full repr of locals, and our objects' state."""
    lines = [repr(error)]
    for frame, _ in traceback.walk_tb(trace):
        for name, value in frame.f_locals.items():
            lines.append(f"{name} = {_shown(value)}")
            if type(value).__module__.startswith("passthrough_auth"):
                lines += [f"{name}.{own} = {held!r}" for own, held in _state(value).items()]
    return "\n".join(lines)


def _state(value):
    return dict(vars(value)) if hasattr(value, "__dict__") else {}


STYLES = {"traceback": by_traceback, "rich": by_rich, "debugger": by_debugger}


def frames_that_leak(trace):
    """Each frame whose locals show a secret: file, function, names of the locals."""
    found = []
    for frame, _ in traceback.walk_tb(trace):
        names = sorted(name for name, value in frame.f_locals.items() if leaked(_shown(value)))
        if names:
            path = Path(frame.f_code.co_filename)
            found.append([f"{path.parent.name}/{path.name}", frame.f_code.co_qualname, names])
    return found


def _shown(value):
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an object without a repr shows nothing
        return ""


def chain(error):
    """The error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def report(error):
    """The text of that error in all styles."""
    ours = {}
    for style, write in STYLES.items():
        texts = [write(each, only(each.__traceback__, is_ours)) for each in chain(error)]
        ours[style] = sorted(leaked("\n".join(texts)))
    return {
        "error": type(error).__name__,
        "text": sorted(leaked("".join(traceback.format_exception(error)))),
        "ours": ours,
        "our_frames": sum(
            is_ours(frame)
            for each in chain(error)
            for frame, _ in traceback.walk_tb(each.__traceback__)
        ),
        "leaking": [
            frame for each in chain(error) for frame in frames_that_leak(each.__traceback__)
        ],
    }


class Reporter(logging.Handler):
    """Writes a report, one line of JSON, for every error that is logged with its traceback."""

    def __init__(self, path):
        super().__init__(logging.DEBUG)
        self._path = path

    def emit(self, record):
        if record.exc_info and record.exc_info[1] is not None:
            with open(self._path, "a", encoding="utf-8") as file:  # noqa: PTH123 - in a handler
                json.dump(report(record.exc_info[1]), file)
                file.write("\n")
