"""Of the stack of calls that declares a resource, only the place that does goes into the state, as its source position.

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
    """From now on programs in this process, and in its forks, send the position alone.

    It replaces two functions of the SDK that are not public. Where they are gone, this does nothing: a test tells.
    """
    if hasattr(resource, "_get_stack_trace") and hasattr(resource, "_get_source_position"):
        resource._get_stack_trace = _place
        resource._get_source_position = _position


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


def _position(stack: source_pb2.StackTrace) -> source_pb2.SourcePosition | None:
    """Where the first frame is, which goes out of the trace: that is sent too."""
    if not stack.frames:
        return None
    position = source_pb2.SourcePosition()
    position.CopyFrom(stack.frames[0].pc)
    stack.ClearField("frames")
    return position
