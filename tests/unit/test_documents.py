"""What documents and code refer to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]+)(?:#([^)]+))?\)")
NAMED = re.compile(r"\b((?:docs|stream|models|tests|benchmarks)/[\w/.-]+\.\w+)")
CODE = [path for room in ("stream", "models", "tests") for path in ROOT.glob(f"{room}/**/*.py")]


def anchors(path):
    """Of its headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    for target, anchor in LINK.findall(path.read_text(encoding="utf-8")):
        place = path.parent / target
        assert place.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors(place), f"{path.name} links to {target}#{anchor}"


def test_every_document_that_code_names_is_there():
    for path in CODE:
        for name in re.findall(r"\bdocs/[\w/]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{path} names {name}"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_that_developers_are_sent_to_is_there(name):
    for found in NAMED.findall((ROOT / name).read_text(encoding="utf-8")):
        assert (ROOT / found).exists() or "NAME" in found, f"{name} names {found}"
