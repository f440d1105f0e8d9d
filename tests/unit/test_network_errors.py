"""Every error of FFmpeg's has a sentence of ours."""

import errno
import os
import re

import av
import pytest

from stream.capture.refusals import refusal
from stream.errors import AddressError, OpenError, ReceiverError, SinkError
from stream.network_errors import meaning_of
from stream.output.muxer import push_error

OUR_OWN_MISTAKES = frozenset(
    [
        *("ArgumentError", "BufferTooSmallError", "BugError", "ChildProcessError"),
        *("ExperimentalError", "FFmpegError", "FileExistsError", "FileNotFoundError"),
        *("InputChangedError", "InterruptedError", "IsADirectoryError", "NotADirectoryError"),
        *("OSError", "OutputChangedError", "OverflowError", "ProcessLookupError"),
        *("PyAVCallbackError", "UndefinedError"),
    ]
)
"""What no other machine can cause."""

NUMBERS = {
    "BlockingIOError": errno.EAGAIN,
    "BrokenPipeError": errno.EPIPE,
    "ConnectionAbortedError": errno.ECONNABORTED,
    "ConnectionRefusedError": errno.ECONNREFUSED,
    "ConnectionResetError": errno.ECONNRESET,
    "MemoryError": errno.ENOMEM,
    "NotImplementedError": errno.ENOSYS,
    "PermissionError": errno.EACCES,
    "TimeoutError": errno.ETIMEDOUT,
}


def classes():
    every = sorted(vars(av.error).items())
    kinds = [(name, kind) for name, kind in every if isinstance(kind, type)]
    return [
        (name, kind)
        for name, kind in kinds
        if issubclass(kind, av.FFmpegError) and name == kind.__name__
        if name not in OUR_OWN_MISTAKES
    ]


@pytest.mark.parametrize(("name", "kind"), classes())
def test_each_error_is_told_in_our_words(name, kind):
    number = NUMBERS.get(name, 1)
    said = os.strerror(number) if name in NUMBERS else "Raw words"
    words = meaning_of(kind(number, said)).words
    assert said.lower() not in words.lower() or name == "ConnectionRefusedError"
    assert re.fullmatch(r"[a-z\d][^\n]*[^.\n]|FFmpeg cannot do this|TLS[^\n]+", words)


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRINUSE])
def test_errors_of_the_system_are_told_too(number):
    error = OSError(number, os.strerror(number))
    assert os.strerror(number) not in meaning_of(error).words


def test_what_nobody_foresaw_keeps_its_own_words():
    assert meaning_of(OSError(errno.EXDEV, "Odd")).words == "cannot be reached (Odd)"


@pytest.mark.parametrize(
    ("kind", "final"),
    [
        ("HTTPUnauthorizedError", True),
        ("HTTPForbiddenError", True),
        ("HTTPNotFoundError", True),
        ("HTTPTooManyRequestsError", False),
        ("HTTPServerError", False),
        ("ConnectionRefusedError", False),
        ("TimeoutError", False),
    ],
)
def test_sources_and_receivers_agree_on_what_is_worth_another_try(kind, final):
    error = getattr(av.error, kind)(NUMBERS.get(kind, 1), "raw")
    assert type(refusal("rtsp://127.0.0.1/a", error)) is (AddressError if final else OpenError)
    assert type(push_error("rtsp://127.0.0.1/a", error)) is (ReceiverError if final else SinkError)
