"""Of the stack of calls that declares a resource, only the place that does goes into the state.

The SDK sends the whole of it, with its own frames and the interpreter's. The engine shows it nowhere and writes it with
each step: two fifths of a state, with the folders of whoever ran the program.
"""

from __future__ import annotations

import sys
import traceback

from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2

_CONSTRUCTORS = 3
"""A resource's own, the one of custom resources or of components, and that of all resources."""


def shorten() -> None:
    """From now on programs in this process, and in its forks, send the first frame alone.

    It replaces a function of the SDK that is not public. Where that is gone, this does nothing: a test tells.
    """
    if hasattr(resource, "_get_stack_trace"):
        resource._get_stack_trace = _place


def _place() -> source_pb2.StackTrace:
    """The frame that called the constructor of a resource's class; none where there is no such frame."""
    frame, seen = sys._getframe(1), 0
    while frame.f_back is not None and seen < _CONSTRUCTORS:
        seen += frame.f_code.co_name == "__init__"
        frame = frame.f_back
    if seen < _CONSTRUCTORS:
        return source_pb2.StackTrace()
    place = traceback.FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, lookup_line=False)
    return source_pb2.StackTrace(frames=[source_pb2.StackFrame(pc=resource._get_source_position_for_frame(place))])
