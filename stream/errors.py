"""The errors a user can meet.

::

    DeblurError
    ├── SourceError         reading: a file, a camera, the network
    │   ├── OpenError       it could not be opened, or holds nothing we can read
    │   │   └── AddressError    and will not be, however often it is tried
    │   └── DecodeError     it opened, but its pictures cannot be decoded
    ├── SinkError           writing: encoder, disk, display
    │   └── ReceiverError   a receiver will not take it, however often it is tried
    ├── ModelError          weights, network, accelerator
    │   ├── MissingError    a library that is needed is not installed
    │   ├── WeightsError    there is no such model, or it is damaged or another architecture
    │   ├── ClipError       material for scores or training
    │   ├── TrainingError   a run that cannot begin or go on
    │   ├── ExportError     a file of another runtime
    │   └── MismatchError   a library that computes something else than the network
    ├── JobError            a recorded video as a whole: plan, join, commit
    └── UsageError          what was asked for does not exist or go together, whatever the files are

Every message is one line: what happened, where, and what to do. A programming mistake raises
``ValueError`` or ``RuntimeError`` instead and keeps its traceback. `models.errors` has those that
`models`, which knows nothing of this package, raises too.
"""

from models.errors import DeblurError as DeblurError
from models.errors import ModelError as ModelError


class SourceError(DeblurError):
    """Frames cannot be read."""


class OpenError(SourceError):
    """A source cannot be opened, or holds no video that can be read."""


class AddressError(OpenError):
    """An address is wrong, or does not let this user in: trying again does not help."""


class DecodeError(SourceError):
    """A source opened, but its pictures cannot be decoded."""


class SinkError(DeblurError):
    """Frames cannot be written."""


class ReceiverError(SinkError):
    """A receiver does not let us in, or there is none: trying again does not help."""


class JobError(DeblurError):
    """A recorded video cannot be taken from input to output."""


class UsageError(DeblurError):
    """An option or a name means nothing that exists, or options do not go together."""
