"""There is one tree of errors, and it is as it is drawn."""

import inspect
import re

import models.errors
import stream.errors
from models.errors import DeblurError


def test_the_tree_is_drawn_as_it_is():
    lines = re.findall(r"^ {4}([ │├└─]*)(\w+Error)\b", stream.errors.__doc__, re.MULTILINE)
    above, drawn = [], {}
    for branch, name in lines:
        depth = len(branch) // 4
        del above[depth:]
        drawn[name] = above[-1] if above else "Exception"
        above.append(name)
    classes = {
        name: each
        for module in (models.errors, stream.errors)
        for name, each in inspect.getmembers(module, inspect.isclass)
    }
    assert drawn == {name: each.__base__.__name__ for name, each in classes.items()}
    assert all(issubclass(each, DeblurError) for each in classes.values())
