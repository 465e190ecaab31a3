"""A filter's text as a tree: the part of the Common Expression Language that a row filter needs.

Fields, texts, numbers, `true`, `false`, `timestamp("...")`, lists of these; `==`, `!=`, `<`, `<=`,
`>`, `>=`, `in`, `!`, `&&`, `||`, parentheses; `has(field)`; `startsWith`, `endsWith`, `contains`. What
parses here parses as CEL with the same meaning, but for `has(due_at)`: CEL has it for members only.
Source: the CEL language definition (cel-expr/cel-spec); docs/decisions/0023.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crosstown.agreements.expression import (
    METHODS,
    ORDERS,
    PAYLOAD,
    And,
    Asked,
    Compared,
    Field,
    Has,
    In,
    Listing,
    Literal,
    Moment,
    Node,
    Not,
    Operand,
    Or,
    bad,
)
from crosstown.moments import instant

LONGEST: Final = 2_000
"""Characters that a filter may have."""
DEEPEST: Final = 24
"""How deep parentheses, lists and `!` may stand in one another."""
MOST: Final = 200
"""Items that a list may have."""
_INT64: Final = 1 << 63
_TOKEN: Final = re.compile(
    r"""(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],.])""",
    re.VERBOSE,
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPES: Final = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parsed(text: str) -> Node:
    """The tree of a filter's text; raises `Refused` (bad-filter) with the character where it breaks."""
    if len(text) > LONGEST:
        raise bad(1, f"it has {len(text):,} characters, and may have {LONGEST:,}",
                      mend="say it shorter, or make two agreements")  # fmt: skip
    parser = _Parser(_tokens(text))
    tree = parser.either()
    left = parser.token
    if left.kind != "end":
        raise bad(left.at, f"{left.text[:40]!r} can't stand here", "join conditions with && or ||")
    return tree


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at == len(text):
            return [*found, _Token("end", "the end", at + 1)]
        one = _TOKEN.match(text, at)
        if one is None:
            raise bad(at + 1, f"{text[at]!r} can't stand here",
                  "a filter is made of fields, values and == != < <= > >= in && || ! ( )")  # fmt: skip
        found.append(_Token(str(one.lastgroup), one[0], at + 1))
        at = one.end()


class _Parser:
    """Recursive descent over the tokens, bounded by `DEEPEST`."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    @property
    def token(self) -> _Token:
        return self._tokens[self._next]

    def either(self) -> Node:
        parts = self._row("||", self._all)
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Node:
        parts = self._row("&&", self._relation)
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _row(self, sign: str, one: Callable[[], Node]) -> list[Node]:
        parts = [one()]
        while self._take(sign):
            parts.append(one())
        return parts

    def _relation(self) -> Node:
        left, token = self._unary(), self.token
        if token.text in ORDERS and token.kind == "sign":
            self._next += 1
            made: Node = Compared(token.text, _operand(left, token.at),
                                  _operand(self._unary(), token.at), token.at)  # fmt: skip
        elif token.text == "in" and token.kind == "name":
            self._next += 1
            made = In(_operand(left, token.at), _operand(self._unary(), token.at), token.at)
        else:
            return left
        more = self.token
        if more.text in (*ORDERS, "in") and more.kind != "text":
            raise bad(more.at, f"a second {more.text}", "join two comparisons with &&")
        return made

    def _unary(self) -> Node:
        token = self.token
        if not self._take("!"):
            return self._member()
        with_in = self._deeper(token, self._unary)
        return Not(with_in, token.at)

    def _deeper(self, token: _Token, inner: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise bad(token.at, f"more than {DEEPEST} deep", "say it flatter")
        made = inner()
        self._depth -= 1
        return made

    def _member(self) -> Node:
        made = self._primary()
        while self.token.text == "." and self.token.kind == "sign":
            at = self.token.at
            self._next += 1
            name = self._name()
            if self.token.text == "(" and self.token.kind == "sign":
                made = self._method(made, name, at)
            elif isinstance(made, Field) and made.name == PAYLOAD:
                made = Field(f"{PAYLOAD}.{name.text}", made.at)
            else:
                raise bad(name.at, f"{name.text} of what?", "only payload.<field> has a dot")
        return made

    def _method(self, of: Node, name: _Token, at: int) -> Node:
        if name.text not in METHODS:
            raise bad(
                name.at, f"there is no {name.text}()", f"there are {', '.join(METHODS)}, has()"
            )
        self._next += 1
        part = self._deeper(name, self.either)
        self._must(")")
        return Asked(name.text, _operand(of, at), _operand(part, at), name.at)

    def _primary(self) -> Node:
        token = self.token
        self._next += 1
        match token.kind, token.text:
            case "text", _:
                return Literal(_unescaped(token), token.at)
            case "number", _:
                return Literal(_number(token), token.at)
            case "name", _:
                return self._named(token)
            case "sign", "(":
                made = self._deeper(token, self.either)
                self._must(")")
                return made
            case "sign", "[":
                return self._listing(token)
            case _:
                raise bad(token.at, f"{token.text[:40]!r} can't stand here",
                          "a field or a value belongs here")  # fmt: skip

    def _named(self, token: _Token) -> Node:
        if token.text in ("true", "false"):
            return Literal(token.text == "true", token.at)
        if token.text == "null":
            raise bad(token.at, "null", "say has(field), or !has(field)")
        if self.token.text == "(" and self.token.kind == "sign":
            return self._call(token)
        return Field(token.text, token.at)

    def _call(self, name: _Token) -> Node:
        self._next += 1
        given = self._deeper(name, self.either)
        self._must(")")
        if name.text == "has" and isinstance(given, Field):
            return Has(given)
        if name.text == "timestamp" and isinstance(given, Literal) and isinstance(given.value, str):
            return Moment(_micros(given.value, given.at), name.at)
        raise bad(name.at, f"there is no {name.text}() of that",
              'there are has(field) and timestamp("2026-01-31T00:00:00Z")')  # fmt: skip

    def _listing(self, token: _Token) -> Listing:
        items: list[Literal | Moment] = []
        while not self._take("]"):
            if items:
                self._must(",")
            one = self._deeper(token, self._member)
            if not isinstance(one, Literal | Moment):
                raise bad(token.at, "a list of something else than values", "list the values")
            items.append(one)
            if len(items) > MOST:
                raise bad(token.at, f"a list of more than {MOST} values", "make it shorter")
        return Listing(tuple(items), token.at)

    def _name(self) -> _Token:
        token = self.token
        if token.kind != "name":
            raise bad(token.at, f"{token.text[:40]!r} after a dot", "a name belongs here")
        self._next += 1
        return token

    def _take(self, sign: str) -> bool:
        if self.token.kind != "sign" or self.token.text != sign:
            return False
        self._next += 1
        return True

    def _must(self, sign: str) -> None:
        if not self._take(sign):
            raise bad(
                self.token.at, f"{self.token.text[:40]!r} where {sign} belongs", f"put {sign} there"
            )


def _operand(node: Node, at: int) -> Operand:
    if isinstance(node, Field | Literal | Moment | Listing):
        return node
    raise bad(at, "a condition where a field or a value belongs", "join conditions with && or ||")


def _unescaped(token: _Token) -> str:
    def one(found: re.Match[str]) -> str:
        said = found[1]
        if len(said) == 5 and not "\ud800" <= (made := chr(int(said[1:], 16))) <= "\udfff":
            return made
        if said not in _ESCAPES:
            raise bad(token.at + found.start() + 1, f"{found[0]!r} in a text",
                  r"""one of \\ \" \' \n \r \t \uXXXX""")  # fmt: skip
        return _ESCAPES[said]

    return _ESCAPE.sub(one, token.text[1:-1])


def _number(token: _Token) -> int | float:
    if token.text.lstrip("-").isdigit():
        whole = int(token.text)
        if -_INT64 <= whole < _INT64:
            return whole
    else:
        number = float(token.text)
        if abs(number) != float("inf"):
            return number
    raise bad(token.at, "a number beyond 64 bits", "no field holds one")


def _micros(text: str, at: int) -> int:
    try:
        return instant(text)
    except ValueError as error:
        mend = 'say e.g. timestamp("2026-01-31T00:00:00Z")'
        raise bad(at, str(error), mend) from None
