"""`deblur serve`: the web page."""

import argparse
import dataclasses
import logging
import os
import re
import sys
from pathlib import Path

from stream.cli import quality
from stream.cli.arguments import add_compute, add_strength, model_name, number, positive_int
from stream.errors import DeblurError
from stream.inference.deblurrers import AUTO

LIVE_MODEL = "tiny"
"""As `deblur live` takes it; for recorded videos it is found as `deblur clean` finds it."""

MIN_TOKEN = 16
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{MIN_TOKEN},}}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = "Other machines reach only a --host that is not of this one; they need a token."
    parser.add_argument("--host", default="127.0.0.1", help="to listen on (default: %(default)s)")
    port = number(int, lambda value: 0 <= value < 1 << 16, "a port from 0 to 65535")
    parser.add_argument("--port", type=port, default=8080, help="default: %(default)s")
    parser.add_argument("--cert", type=Path, metavar="FILE.pem", help="serve https with this")
    parser.add_argument("--key", type=Path, metavar="FILE.pem", help="its key, if in another file")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="a name by which the page is reached, if it is not this machine's; may be repeated",
    )
    token = parser.add_mutually_exclusive_group()
    token.add_argument(
        "--token",
        type=_token,
        metavar="TEXT",
        help="what clients must bring, instead of a new one at each start; others of this machine "
        "can read it in the list of processes: DEBLUR_TOKEN in the environment is the same",
    )
    token.add_argument("--token-file", type=Path, metavar="FILE", help="the same from a file")
    parser.add_argument(
        "--log", metavar="FILE", help="write a line for each request; - is standard error"
    )
    parser.add_argument(
        "--max-sessions",
        type=positive_int,
        default=4,
        metavar="N",
        help="cameras at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--max-upload",
        type=positive_int,
        default=1024,
        metavar="MIB",
        help="size of a recorded video (default: %(default)s)",
    )
    parser.add_argument(
        "--max-minutes",
        type=positive_int,
        default=10,
        metavar="N",
        help="length of a recorded video (default: %(default)s)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where recorded videos lie until they are deleted, half an hour after they are done; "
        "the next server goes on with them (default: one for each port in deblur under "
        "$XDG_STATE_HOME or ~/.local/state; with --port 0 nothing is kept)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--quality",
        choices=[*quality.QUALITIES],
        default=AUTO,
        help="for all that clients have not chosen a model for: fast, balanced or best; auto, the "
        f"default, is {LIVE_MODEL} for cameras, and for recorded videos what `deblur clean` takes",
    )
    which.add_argument(
        "--model",
        type=model_name,
        metavar="NAME",
        help="the same by name, or a file; see `deblur clean`",
    )
    add_strength(parser)
    add_compute(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, which is how it is meant to end: exit code 0."""
    try:
        import aiohttp  # noqa: F401
        import aiortc  # noqa: F401  # before TensorFlow, behind which its libsrtp crashes
        import prometheus_client  # noqa: F401
    except ModuleNotFoundError as error:
        raise DeblurError(
            f'deblur serve needs {error.name}: pip install "deblurstream[web]"'
        ) from error
    token = _chosen_token(options)
    log = _request_log(options.log) if options.log else None
    from stream.inference.deblurrer import Deblurrer
    from stream.inference.deblurrers import Automatic, Choice, Deblurrers
    from stream.inference.speed import seconds_per_megapixel
    from stream.serve.limits import Limits
    from stream.serve.server import Address, serve

    for library in ("aiortc", "aioice"):  # they warn of every packet that a network loses
        logging.getLogger(library).setLevel(logging.ERROR)
    limits = dataclasses.replace(
        Limits(),
        sessions=options.max_sessions,
        upload_bytes=options.max_upload << 20,
        video_s=60.0 * options.max_minutes,
    )
    own, names = _models(options.model)
    live = own or quality.live_model(options.quality) or LIVE_MODEL
    recorded = own or quality.recorded_model(options.quality)
    if options.quality != AUTO:
        words = "what `deblur clean` would take" if recorded == AUTO else recorded
        print(f"deblur: cameras by {live}, recorded videos by {words}", file=sys.stderr)
    automatic = Automatic(
        lambda info, speed: quality.choose(AUTO, info, speed).model, seconds_per_megapixel
    )
    models = Deblurrers(
        lambda name, look_ahead: Deblurrer(
            names[name],
            device=options.device,
            precision=options.precision,
            runtime=options.runtime,
            quick_start=True,
            look_ahead=look_ahead,
            strength=options.strength,
        ),
        list(names),
        Choice(live, options.strength),
        None if own else automatic,
    )
    address = Address(
        options.host, options.port, options.cert, options.key, tuple(options.name), token
    )
    folder = options.folder or (_usual_folder(options.port) if options.port else None)
    choice = Choice(recorded, options.strength)
    serve(models, choice, address, limits, _tell, log=log, folder=folder)
    return 0


def _models(wanted: str | None) -> tuple[str | None, dict[str, str]]:
    """The name of the user's own choice, and by name whatever may be chosen on the page."""
    from models import registry

    names = {name: name for name in registry.shipped()}
    if wanted is None:
        return None, names
    own = registry.find_model(wanted).label
    return own, {own: wanted} | {name: names[name] for name in names if name != own}


def _usual_folder(port: int) -> Path:
    """One for each port, so that several servers do not meet."""
    named = Path(os.environ.get("XDG_STATE_HOME", ""))  # one that is not absolute does not count
    state = named if named.is_absolute() else Path.home() / ".local" / "state"
    return state / "deblur" / f"serve-{port}"


def _token(text: str) -> str:
    """A token that can be sent in a header, a cookie and an address, and is not guessed."""
    if not _TOKEN.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"a token has {MIN_TOKEN} characters or more, letters, digits, - and _; "
            "`openssl rand -hex 24` makes one"
        )
    return text


def _chosen_token(options: argparse.Namespace) -> str | None:
    """The user's own, of an option, a file or the environment; None where there is none."""
    if options.token:
        return str(options.token)
    where, text = "DEBLUR_TOKEN", os.environ.get("DEBLUR_TOKEN")
    if options.token_file:
        try:
            where, text = str(options.token_file), options.token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DeblurError(f"{options.token_file} cannot be read as a token") from error
    if text is None:
        return None
    try:
        return _token(text)
    except argparse.ArgumentTypeError as error:
        raise DeblurError(f"{where}: {error}") from error


def _request_log(name: str) -> logging.Logger:
    log = logging.getLogger("stream.serve.requests")
    try:
        handler = logging.StreamHandler() if name == "-" else logging.FileHandler(name)
    except OSError as error:
        raise DeblurError(f"{name} cannot be written ({error.strerror}); name another") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


def _tell(url: str) -> None:
    print(f"open {url}", flush=True)
    if "?token=" in url and url.startswith("http:"):
        print(
            "deblur: warning: on other machines browsers give a camera to https pages only: "
            "use --cert",
            file=sys.stderr,
        )
