"""Every exception Osiris raises on purpose, drawn as one tree and grouped by how one recovers.

    OsirisError                      exit   what to do
    ├── InvalidInputError              2    mend the pipeline, the arguments or the request
    ├── CompileError                   3    mend the plugin, the lock or the compiled directory
    ├── RunError                       4    look at the systems; run again when ``retryable``
    │   ├── DriftError                 4    a schema changed since the compile: discover, compile again
    │   ├── LedgerError                4    mend or remove the parts of a ledger that it names
    │   └── ReconciliationError        4    rows do not add up; nothing was committed
    ├── ConfigurationError             5    mend osiris.yaml, osiris_connections.yaml or the installation
    │   ├── ConnectError               5    the server cannot be reached or refuses the login
    │   ├── SecretError                5    set the named environment variables
    │   └── PluginError                5    mend or remove the plugin
    └── CancelledError           130/143    SIGINT or SIGTERM: everything was rolled back

Anything else that escapes is a bug of ours (exit 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from osiris_core.drivers import LedgerEntry
    from osiris_core.oml import Document
    from osiris_core.problems import Problem

EXIT_OK = 0
EXIT_BUG = 1
EXIT_INVALID = 2
EXIT_COMPILE = 3
EXIT_RUN = 4
EXIT_CONFIGURATION = 5
EXIT_SIGINT = 130
EXIT_SIGTERM = 143
#: A message that names more faults than this is not read.
MAX_FAULTS_SHOWN = 5


class OsirisError(Exception):
    """Base of all deliberate errors.

    Attributes:
        code: stable problem code, for example ``OSI-R001`` (``osiris explain CODE``).
        message: what is wrong and where, without any secret value.
        hint: how to mend it; may be empty.
        retryable: whether the same call may succeed later without any change.
        exit_code: the process exit code this error asks for.
    """

    exit_code = EXIT_BUG
    default_code = "OSI-X001"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.retryable = retryable


class InvalidInputError(OsirisError):
    """The input is wrong. ``problems`` holds everything found, not only the first.

    ``documents`` are the texts that may be shown around the problems: those that hold no secret.
    """

    exit_code = EXIT_INVALID
    default_code = "OSI-V001"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        problems: Sequence[Problem] = (),
        documents: Sequence[Document] = (),
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.problems = tuple(problems)
        self.documents = tuple(documents)


class CompileError(OsirisError):
    """What only compiling can find: a failing compile hook, a lock mismatch, an edited ``cfg/``."""

    exit_code = EXIT_COMPILE
    default_code = "OSI-M001"


class RunError(OsirisError):
    """A step failed while data moved. The target holds what it held before, or the whole change."""

    exit_code = EXIT_RUN
    default_code = "OSI-R001"


class DriftError(RunError):
    """A source or target schema is no longer what the manifest was compiled against."""

    default_code = "OSI-R002"


class ReconciliationError(RunError):
    """Source rows are not written + deduplicated + skipped rows; the step was rolled back."""

    default_code = "OSI-R003"


class LedgerError(RunError):
    """Some parts of a target's ledger could not be read or pruned; what the others gave is here.

    Attributes:
        faults: what each of those parts raised.
        entries: of the parts that could be read.
        removed: how many entries of the other parts (would have) gone.
    """

    default_code = "OSI-R027"

    def __init__(self, faults: Sequence[OsirisError], *, entries: Sequence[LedgerEntry] = (), removed: int = 0) -> None:
        first = faults[0]
        shown = [fault.message for fault in faults[:MAX_FAULTS_SHOWN]]
        more = [f"and {len(faults) - len(shown)} more like these"] if len(faults) > len(shown) else []
        super().__init__(
            "; ".join([*shown, *more]),
            code=first.code,
            hint=first.hint,
            retryable=all(fault.retryable for fault in faults),
        )
        self.faults = tuple(faults)
        self.entries = tuple(entries)
        self.removed = removed


class ConfigurationError(OsirisError):
    """The project, a connection, a secret or the installation is wrong.

    ``problems`` holds everything found when the cause is a file with positions; ``documents`` as in InvalidInputError.
    """

    exit_code = EXIT_CONFIGURATION
    default_code = "OSI-C001"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        retryable: bool = False,
        problems: Sequence[Problem] = (),
        documents: Sequence[Document] = (),
    ) -> None:
        super().__init__(message, code=code, hint=hint, retryable=retryable)
        self.problems = tuple(problems)
        self.documents = tuple(documents)


class ConnectError(ConfigurationError):
    """A server cannot be reached, or refuses the login or a permission."""

    default_code = "OSI-C010"


class SecretError(ConfigurationError):
    """Environment variables that hold secrets are missing; ``names`` lists all of them."""

    default_code = "OSI-C020"

    def __init__(self, message: str, *, names: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.names = tuple(names)


class PluginError(ConfigurationError):
    """A plugin is broken, incompatible or owns a component that another plugin owns too."""

    default_code = "OSI-P001"


class CancelledError(OsirisError):
    """The run was cancelled by a signal and rolled back."""

    default_code = "OSI-R090"

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number
