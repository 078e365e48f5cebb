"""Messages and progress of the library, where Python users look for them."""
import logging
import sys
import warnings

logger = logging.getLogger("saescope")


class SaescopeWarning(UserWarning):
    """What a result may suffer from, in a sentence of the library."""


def _callers_level():
    """How far up the caller of this package is, for `stacklevel` of a warning that `log` gives."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame, level = frame.f_back, level + 1
    return level


def log(level, message):
    """Warnings as warnings, once for each place that calls; notices in the log "saescope"."""
    if level == 0:
        logger.info(message)
    else:
        warnings.warn(message, SaescopeWarning, stacklevel=_callers_level())


def bar(wanted, total, unit):
    """A function to call with how much was done since the last call, and one that ends it. `wanted` None: a bar where
    standard error is a terminal."""
    if not (sys.stderr.isatty() if wanted is None else wanted):
        return None, lambda: None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None, lambda: None
    shown = tqdm(total=total, unit=unit)
    return shown.update, shown.close


def watcher(wanted, unit="rows", member="rows_done"):
    """The same for reports of the library, which say how far the whole is: `member` of a dict. A callable is given each."""
    if callable(wanted):
        return wanted, lambda: None
    update, close = bar(wanted, None, unit)
    if update is None:
        return None, close
    seen = 0

    def watch(report):
        nonlocal seen
        update(report[member] - seen)
        seen = report[member]

    return watch, close
