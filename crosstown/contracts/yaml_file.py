"""A YAML file as a checked model; whatever is wrong in it is said with file and line.

Scalars are read as YAML 1.2 reads them: `NO` and `010` are text, so that a crosswalk's codes stay
what the agency wrote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from crosstown.errors import Stop

Model = TypeVar("Model", bound=BaseModel)


if TYPE_CHECKING:
    from yaml import SafeLoader as _Safe
else:  # libyaml's where it is there: eight times as fast, and every command reads the contracts
    _Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """SafeLoader with the scalars of YAML 1.2's core schema, and no key twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own attribute

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; a key that stands twice is an error, since one would be lost in silence."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value} stands here twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+", "-+0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"),
                                  list(_first))  # fmt: skip


def read_yaml(
    path: Path, model: type[Model], about: str = "docs/decisions/0006 says what may stand there"
) -> Model:
    """The file as `model`; raises `Stop` with file and line, and with `about`, where it can't be that."""
    try:
        text = path.read_text("utf-8")
        node = yaml.compose(text, _Loader)
        data = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise Stop(f"{path} isn't there", mend="a contract repository has agencies.yaml and "
                   "concerns.yaml; begin with a copy of the one that ships") from None  # fmt: skip
    except (UnicodeDecodeError, OSError) as error:
        raise Stop(f"{path} can't be read: {error}", mend="save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Stop(f"{path}:{line}: {error.problem or error}", mend="mend the YAML there") from None
    except yaml.YAMLError as error:
        raise Stop(f"{path}: not YAML: {error}", mend="mend the file") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise Stop(f"{path}:{line_of(node, first['loc'])}: {where}: {first['msg']}",
                   mend=about) from None  # fmt: skip


def read_plain(path: Path) -> Any:
    """A good file as plain values."""
    return yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 - a SafeLoader


def line_in(path: Path, loc: Sequence[str | int]) -> int:
    """The line of a good file on which a path of keys and indexes ends."""
    return line_of(yaml.compose(path.read_text("utf-8"), _Loader), loc)


def line_of(node: yaml.Node | None, loc: Sequence[str | int]) -> int:
    """The line of what a path of keys and indexes leads to, as far as it leads."""
    line = node.start_mark.line + 1 if node else 1
    for step in loc:
        match node:
            case yaml.MappingNode():
                pairs = [(k, v) for k, v in node.value if k.value == str(step)]
                if not pairs:
                    continue  # a name that pydantic adds, not one of the file's
                line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
            case yaml.SequenceNode() if isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            case _:
                continue
    return line
