"""Errors of the library as exceptions: SaescopeError, and what `except` usually asks for."""


class SaescopeError(Exception):
    """What went wrong, in a sentence, and its facts.

    code    name of the status, such as "bad data"
    option  the argument that the sentence names first, or ""
    item    the column, tensor or key concerned, or ""
    file    or ""
    row     counted from 0, or None
    offset  in bytes, or None
    """

    code = option = item = file = ""
    row = offset = None


class UsageError(SaescopeError, ValueError):
    code = "usage"


class DataError(SaescopeError, ValueError):
    code = "bad data"


class ShapeError(SaescopeError, ValueError):
    code = "bad shape"


class NonFiniteError(SaescopeError, ValueError):
    code = "not finite"


class UnsupportedError(SaescopeError, ValueError):
    code = "unsupported"


class LimitError(SaescopeError, ValueError):
    code = "too large"


class NoInputError(SaescopeError, FileNotFoundError):
    code = "no input"


class OutputExistsError(SaescopeError, FileExistsError):
    code = "exists"


class NetworkError(SaescopeError, ConnectionError):
    code = "network"


class FileError(SaescopeError, OSError):
    code = "input or output"


class OutOfMemoryError(SaescopeError, MemoryError):
    code = "out of memory"


class InternalError(SaescopeError, RuntimeError):
    code = "internal"


# In the order of ss_status; a stop becomes KeyboardInterrupt before it comes here.
_CLASSES = [None, UsageError, DataError, ShapeError, NonFiniteError, UnsupportedError, LimitError, NoInputError,
            OutputExistsError, NetworkError, FileError, OutOfMemoryError, None, InternalError]


def make(status, option, message, item, row, offset, file):
    """The exception of a status (called by the extension)."""
    error = (_CLASSES[status] or SaescopeError)(message)
    error.option, error.item, error.row, error.offset, error.file = option, item, row, offset, file
    return error
