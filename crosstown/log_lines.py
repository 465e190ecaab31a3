r"""One line of a log an event, as text for people or JSON for programs; nothing in it breaks the line.

What agencies and senders wrote can stand in a message. Line ends, terminal escapes and marks that turn
the direction of writing come out as `\n`, `\x1b`, `\u2028`, so no text makes a second line or steers
a terminal. A fault's trace is on the line too, the newest call first.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import threading
import traceback
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final, Literal

Form = Literal["text", "json"]
MAX_MESSAGE: Final = 8_000
"""Characters of one message; what is more is cut, and said to be."""
CALLS: Final = 12
"""Calls of a trace that are told, the newest."""
_TURNS: Final = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_UNSEEN: Final = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *_TURNS, *range(0xD800, 0xE000))
ESCAPED: Final = {
    **{code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _UNSEEN},
    0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r",
}  # fmt: skip


def one_line(text: str) -> str:
    """A text as it may stand in a line: bounded, and nothing in it ends the line or is obeyed."""
    if len(text) > MAX_MESSAGE:
        text = f"{text[:MAX_MESSAGE]} ... ({len(text):,} characters)"
    return text if text.isascii() and text.isprintable() else text.translate(ESCAPED)


class TextLines(logging.Formatter):
    """`time level name message`, UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = _moment(record.created).replace("T", " ")
        return f"{at} {record.levelname} {one_line(record.name)} {_told(record)}"


class JsonLines(logging.Formatter):
    """An object a line, ASCII: `at`, `level`, `program`, `logger`, `message`, and of a fault `error`."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        said: dict[str, Any] = {
            "at": _moment(record.created), "level": record.levelname, "program": self._program,
            "logger": record.name, "message": one_line(_message(record)),
        }  # fmt: skip
        if record.exc_info and record.exc_info[1] is not None:
            fault = record.exc_info[1]
            said["error"] = {
                "type": type(fault).__name__, "message": one_line(str(fault)), "calls": _calls(fault),
            }  # fmt: skip
        return json.dumps(said)


def log_as(form: str, program: str) -> None:
    """Log lines in this form to standard error: ours, the libraries', warnings, faults of threads.

    Anything but `json` is text. librdkafka's own lines come the same way (crosstown/backbone/kafka.py).
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(program) if form == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    logging.captureWarnings(capture=True)
    threading.excepthook = _fault_of_a_thread
    sys.excepthook = _fault


def _told(record: logging.LogRecord) -> str:
    said = one_line(_message(record))
    if not record.exc_info or record.exc_info[1] is None:
        return said
    fault = record.exc_info[1]
    calls = " < ".join(_calls(fault))
    return f"{said}: {type(fault).__name__}: {one_line(str(fault))} ({calls})"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a line that can't be formatted is still a line
        return f"{record.msg!s} {record.args!r}"


def _calls(fault: BaseException) -> list[str]:
    """Where it was raised, as `file:line name`, the newest call first; then what it came from."""
    frames = traceback.extract_tb(fault.__traceback__)[-CALLS:]
    calls = [f"{_short(one.filename)}:{one.lineno} {one.name}" for one in reversed(frames)]
    cause = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    if cause is not None:
        calls.append(f"after {type(cause).__name__}: {one_line(str(cause))}")
    return calls


def _short(file: str) -> str:
    return one_line("/".join(PurePath(file).parts[-2:]))


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _fault_of_a_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else "?"
        _log(f"the thread {name} ends: a fault of ours", args.exc_value, args.exc_traceback)


def _fault(_kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    _log("ends: a fault of ours", fault, trace)


def _log(what: str, fault: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger(__name__).error("%s", what, exc_info=(type(fault), fault, trace))
