"""Segments cleaned by Ray: the same bytes as on one machine, whatever dies meanwhile.

Ray runs in processes of its own, and so does the driver: it brings threads, signal handlers and
warnings along that are not ours to test.
"""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from clips import Clip
from fakes import Averaging

from stream.cli import main
from stream.errors import JobError
from stream.jobs import CleanOptions, clean_file
from stream.jobs.cluster import Cluster, demand
from stream.output.encoder import EncoderOptions

TESTS = Path(__file__).parents[1]
OPTIONS = CleanOptions(EncoderOptions(preset="ultrafast"), segment_s=Fraction(1, 4))
SPEC = Clip(
    ".mkv", "libx264", 64, 48, frames=40, audio="flac", time_base=Fraction(1, 1000), gaps=(40, 45)
)

COMMON = """
import sys
from fractions import Fraction
from pathlib import Path
from stream.jobs import CleanOptions, clean_file
from stream.jobs.cluster import Cluster
from stream.output.encoder import EncoderOptions

source, target = map(Path, sys.argv[1:])
options = CleanOptions(EncoderOptions(preset="ultrafast"), segment_s=Fraction(1, 4))
"""
OWN = """
from fakes import make_averaging

def interrupt(stats):
    if stats.frames_out > 12:
        raise KeyboardInterrupt

with Cluster("auto", make_averaging) as cluster:
    def clean(on_progress=None):
        identity, _ = cluster.made
        return clean_file(source, target, cluster, options, on_progress, model=identity)

    try:
        clean(interrupt)
    except KeyboardInterrupt:
        print("kept", len(list(target.parent.glob(".out.mkv.partial/*.mp4"))))
    stats = clean().stats
print("frames", stats.frames_in, stats.frames_out)
"""

# A segment on the second machine never ends. Once there is one, the first machine goes on, and with
# its first segment the second machine is killed.
TWO = """
import os
import ray.cluster_utils
from fakes import make_nothing, make_stuck
from stream.errors import DeblurError

head = {"num_cpus": 1, "include_dashboard": False}
machines = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=head)
with Cluster(machines.address, make_nothing) as cluster:
    try:
        cluster.made
    except DeblurError as error:
        print("failed:", error)
second = machines.add_node(num_cpus=1)
where = Path(os.environ["STUCK"])
(where / "machine").write_text(second.node_id)

def kill(stats):
    if second in machines.worker_nodes:
        print("killed after", stats.frames_out < 40)
        machines.remove_node(second, allow_graceful=False)

with Cluster(machines.address, make_stuck) as cluster:
    stats = clean_file(source, target, cluster, options, kill, model=cluster.made[0]).stats
    print("frames", stats.frames_in, stats.frames_out)
machines.shutdown()
"""


def run_driver(code, source, target):
    """Run a driver that finds the tests' modules, as its workers do; returns what it printed."""
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on loopback only, on Linux too
        "RAY_USAGE_STATS_ENABLED": "0",
        "STUCK": str(target.parent),
    }
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", COMMON + code, source, target],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if "timed out during startup" not in done.stderr:
            break  # Ray gives itself 30 s to start, too little on a machine that is very busy
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def alone(clip, tmp_path_factory):
    """The bytes that one machine makes."""
    target = tmp_path_factory.mktemp("alone") / "out.mkv"
    clean_file(clip(SPEC), target, Averaging(), OPTIONS, model="averaging")
    return target.read_bytes()


@pytest.mark.slow
def test_a_ray_of_our_own_makes_the_same_bytes_and_goes_on_after_ctrl_c(clip, alone, tmp_path):
    said = run_driver(OWN, clip(SPEC), tmp_path / "out.mkv")
    assert said == ["kept 3", "frames 40 40"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.mkv"]
    assert (tmp_path / "out.mkv").read_bytes() == alone


@pytest.mark.slow
def test_a_machine_killed_in_the_middle_of_a_job_costs_nothing(clip, alone, tmp_path):
    (tmp_path / "machine").touch()
    said = run_driver(TWO, clip(SPEC), tmp_path / "out.mkv")
    ours = [line for line in said if line.startswith(("failed", "killed", "frames"))]  # not Ray's
    assert ours == ["failed: there is no such model", "killed after True", "frames 40 40"]
    assert (tmp_path / "stuck").exists()
    assert (tmp_path / "out.mkv").read_bytes() == alone


@pytest.mark.parametrize(
    ("share", "machines", "takes"),
    [
        (1.0, [{"CPU": 8.0}, {"CPU": 4.0, "GPU": 2.0}], {"num_cpus": 1, "num_gpus": 1.0}),
        (0.5, [{"CPU": 4.0, "GPU": 1.0}], {"num_cpus": 1, "num_gpus": 0.5}),
        (0.0, [{"CPU": 8.0}, {"CPU": 4.0, "GPU": 2.0}], {"num_cpus": 4.0, "num_gpus": 0}),
        (1.0, [{"CPU": 8.0}, {"CPU": 4.0}, {}], {"num_cpus": 4.0, "num_gpus": 0}),
    ],
)
def test_a_segment_takes_a_gpu_where_there_is_one_and_else_a_small_machine(share, machines, takes):
    assert demand(machines, share) == takes


def test_without_ray_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(JobError, match=r"pip install 'deblurstream\[cluster\]'$"):
        Cluster("auto", Averaging)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:9", "no Ray answers at 127.0.0.1:9 .*; start one with: ray start --head$"),
        ("nowhere", "--cluster is auto or HOST:PORT, not nowhere$"),
        ("ray://there", "--cluster is auto or HOST:PORT, not ray://there$"),
    ],
)
def test_an_address_that_does_not_answer_is_one_line(address, says):
    with pytest.raises(JobError, match=says) as caught:
        Cluster(address, Averaging)
    assert "\n" not in str(caught.value)


def test_the_command_line_says_in_one_line_why_a_cluster_will_not_do(clip, tmp_path, capsys):
    source, target = str(clip(SPEC)), str(tmp_path / "out.mkv")
    assert main(["clean", source, target, "--cluster", "127.0.0.1:9"]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("deblur: no Ray answers at 127.0.0.1:9 (Connection refused);")
    with pytest.raises(SystemExit):
        main(["clean", source, target, "--gpu-share", "0"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_line_on_a_ray_of_its_own_with_a_real_model(clip, tmp_path):
    source = clip(Clip(frames=80, width=64, height=48, gaps=(5120,)))  # 32 s: three segments
    for name, *choice in (("alone.mp4",), ("ray.mp4", "--cluster", "auto")):
        command = [sys.executable, "-m", "stream", "clean", source, tmp_path / name, *choice]
        subprocess.run(command, check=True)
    assert (tmp_path / "alone.mp4").read_bytes() == (tmp_path / "ray.mp4").read_bytes()
