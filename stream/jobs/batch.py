"""Many recorded videos: which file goes where, and one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.containers import container_of
from stream.errors import JobError, OpenError, SinkError, UsageError
from stream.jobs.clean import CleanResult
from stream.jobs.folder import VIDEOS, Folder
from stream.jobs.workspace import tidy
from stream.stills import is_there


@dataclass(frozen=True, slots=True)
class Task:
    """One video and where it goes."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: a result, an error, or neither where it was skipped."""

    task: Task
    result: CleanResult | None = None
    error: Exception | None = None

    @property
    def word(self) -> str:
        """In a word; `cut off` is a video that is done, but was not whole itself."""
        if self.result:
            return "cut off" if self.result.stats.frames_missing else "done"
        return "failed" if self.error else "skipped"


def tasks_of(
    inputs: Sequence[Path],
    output: Path,
    pattern: str | None = None,
    on_message: Callable[[str], None] = lambda message: None,
) -> list[Task]:
    """What a command line asks for.

    One file goes to ``output``, or into it where it is a folder. Several files, and the videos of
    folders at any depth, go into the folder ``output`` under the same names; where we do not write
    a file's container, `.mkv` is added to its name.

    Args:
        inputs: Files and folders.
        output: A file or folder.
        pattern: Of folders, take those videos only whose path within the folder ends like this:
            see `pathlib.PurePath.match`.
        on_message: Told of each folder what in it was passed over, if anything.

    Raises:
        JobError: The outputs would take each other's place, or an input's.
        UsageError: Several videos are to go into one file.
        OpenError: There is no video.
    """
    if not is_batch(inputs):
        return [Task(inputs[0], output / inputs[0].name if output.is_dir() else output)]
    if output.exists() and not output.is_dir():
        raise JobError(f"{output} is a file; name a folder for several videos")
    tasks = []
    for path in inputs:
        if not path.is_dir():
            tasks.append(Task(path, output / _writable(Path(path.name))))
            continue
        folder = Folder(path, output, pattern)
        tasks += [Task(path / name, output / _writable(name)) for name in folder.videos()]
        if told := folder.told():
            on_message(told)
    if not tasks:
        named = f" named {pattern}" if pattern else ""
        hint = "check the names; numbered pictures are named like folder/frame_%04d.png"
        raise OpenError(f"there is no video{named} in {', '.join(map(str, inputs))}; {hint}")
    if output.suffix.lower() in VIDEOS and not output.exists():
        raise UsageError(
            f"{output} is the name of one video; name a folder for several, and numbered pictures "
            "like frame_%04d.png, in quotes"
        )
    taken: dict[Path, Path] = {}
    for task in tasks:
        if task.source.resolve() == task.target.resolve():
            raise JobError(f"{task.target} is an input itself; choose another folder for outputs")
        if task.target in taken:
            both = f"{taken[task.target]} and {task.source}"
            raise JobError(f"{both} would both become {task.target}; clean them one by one")
        taken[task.target] = task.source
    return tasks


def is_batch(inputs: Sequence[Path]) -> bool:
    """Whether these are several videos, as far as the command line tells."""
    return len(inputs) > 1 or inputs[0].is_dir()


def clean_all(
    tasks: Sequence[Task], clean: Callable[[Task], CleanResult], *, overwrite: bool
) -> Iterator[Outcome]:
    """Do one task after the other and tell of each; one that fails does not stop the rest.

    Args:
        tasks: Of `tasks_of`.
        clean: Does one.
        overwrite: Whether to do those whose target is there already, too.
    """
    for task in tasks:
        try:
            result = _unless_there(task, clean, overwrite=overwrite)
        except BrokenPipeError:  # nobody listens to what is told
            raise
        except OSError as error:  # a name that is too long, a folder that may not be looked into
            name = error.filename or task.target
            yield Outcome(task, error=JobError(f"{name}: {error.strerror}"))
        except Exception as error:  # what nobody foresaw in one video says nothing of the others
            yield Outcome(task, error=error)
        else:
            yield Outcome(task, result)


def _unless_there(
    task: Task, clean: Callable[[Task], CleanResult], *, overwrite: bool
) -> CleanResult | None:
    if is_there(task.target) and not overwrite:
        tidy(task.target)
        return None
    if not is_there(task.source):
        raise OpenError(f"{task.source} does not exist; check the name")
    _make_folder(task.target.parent)
    return clean(task)


def _writable(name: Path) -> Path:
    try:
        container_of(name)
    except UsageError:
        return name.with_name(f"{name.name}.mkv")
    return name


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"the folder {folder} cannot be made ({error.strerror})") from error
