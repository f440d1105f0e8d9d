"""What an installation asks for, as pyproject.toml has it."""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [
    Requirement(text)
    for group in (PYPROJECT["build-system"]["requires"], PROJECT["dependencies"], *EXTRAS.values())
    for text in group
    if not text.startswith(PROJECT["name"])
]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_no_untested_major_version_is_taken(asked):
    """PyAV 19 was, by every Python that it is made for, and no file could be opened."""
    assert [bound for bound in asked.specifier if bound.operator == "<"]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_what_is_tested_here_is_what_is_asked_for(asked):
    try:
        found = version(asked.name)
    except PackageNotFoundError:
        pytest.skip(f"{asked.name} is not installed")
    if asked.name != "setuptools":  # of this environment: pip builds with one of its own
        assert asked.specifier.contains(found, prereleases=True)


LINUX = {"sys_platform": "linux", "platform_machine": "x86_64"}
WINDOWS_ON_ARM = {"sys_platform": "win32", "platform_machine": "ARM64"}
OLD_MAC = {"sys_platform": "darwin", "platform_machine": "x86_64"}


@pytest.mark.parametrize(
    ("python", "system", "without"),
    [
        ("3.11", LINUX, set()),
        ("3.13", LINUX, set()),
        ("3.14", LINUX, {"tensorflow", "keras"}),
        ("3.13", WINDOWS_ON_ARM, {"tensorflow", "keras", "MNN"}),
        ("3.13", OLD_MAC, {"tensorflow", "keras"}),
        ("3.14", OLD_MAC, {"tensorflow", "keras", "onnxruntime"}),
    ],
)
def test_what_has_no_package_for_a_system_is_not_asked_for_there(python, system, without):
    """Or nothing could be installed there: as the registries stood in November 2026."""
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    there = system | {"python_version": python}
    missing = {one.name for one in wanted if one.marker and not one.marker.evaluate(there)}
    assert missing == without
