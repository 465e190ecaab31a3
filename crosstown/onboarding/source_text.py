"""A draft as the agency's own source: a head that says how the file is written, a row as events."""

from __future__ import annotations

from collections.abc import Iterator

from crosstown.contracts.questions import UNKNOWN, asked
from crosstown.onboarding.columns import Column, Kind
from crosstown.onboarding.draft import Draft, Field, fields
from crosstown.onboarding.moments import ISO
from crosstown.onboarding.quoted import comment, python_text

_YES = ("y", "yes", "true", "t", "ja", "j", "si", "x")


def source_text(draft: Draft) -> str:
    """The Python file."""
    return "\n".join([*_imports(draft), *_days(draft), "", *_class(draft)]) + "\n"


def _imports(draft: Draft) -> Iterator[str]:
    yield f'"""{comment(draft.called).replace(chr(34), chr(39))}: what a row of its {draft.name} says.'
    yield ""
    yield "Made by `crosstown new contract`; now yours: docs/your-own-source.md says what can stand here."
    yield '"""'
    yield ""
    yield "from connectors.csv_file import CsvFile"
    if draft.plan.address:
        yield "from connectors.street import street_key"
    if draft.plan.event:
        yield "from crosstown.event.identity import slug"
    yield "from crosstown.source import Said"


def _day(form: str) -> str:
    """The day's part of a form."""
    return form[: form.index("Y" if "%Y" in form else "y") + 1]


def _doubtful(draft: Draft) -> dict[str, str]:
    """The names of constants for days that could be read in two ways, by their first reading."""
    found: dict[str, str] = {}
    for one in _times(draft):
        if one.form and one.form.other:
            found.setdefault(_day(one.form.form), f"DAY_{len(found) + 1}" if found else "DAY")
    return found


def _times(draft: Draft) -> list[Column]:
    plan = draft.plan
    return [*(step.time for step in plan.steps), *filter(None, (plan.due, plan.said))]


def _days(draft: Draft) -> Iterator[str]:
    for first, name in _doubtful(draft).items():
        one = next(
            c for c in _times(draft) if c.form and c.form.other and _day(c.form.form) == first
        )
        other = _day(one.form.other if one.form else "")
        yield ""
        yield asked(f"Which is the day in {comment(one.header)}, the first number or the second? No"
                    " date of the rows read tells.", f'"{first}" (month first) or "{other}" (day first)'
                    f" in place of {UNKNOWN}")  # fmt: skip
        yield f'{name} = "{UNKNOWN}"'


def _form(draft: Draft, column: Column) -> str:
    """Python's code for a column's form."""
    form = column.form.form if column.form else ""
    if column.form and column.form.other:
        day = _day(form)
        name = _doubtful(draft)[day]
        return f"{name} + {python_text(form[len(day) :])}" if form != day else name
    return python_text(form)


def _class(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    title = "".join(part.capitalize() for part in draft.source.split("-"))
    needed = [plan.number, *(s.time for s in plan.steps), plan.event, plan.line, plan.address,
              plan.house]  # fmt: skip
    names = ", ".join(dict.fromkeys(python_text(c.header) for c in needed if c))
    yield ""
    yield f"class {title if not title[0].isdigit() else f'N{title}'}(CsvFile):"
    yield f'    """`crosstown publish {draft.source} FILE`."""'
    yield ""
    yield f"    name = {python_text(draft.source)}"
    yield f"    agency = {python_text(draft.agency)}"
    yield f"    columns = ({names})"
    if draft.delimiter != ",":
        yield f"    delimiter = {draft.delimiter!r}".replace("'", '"')
    if draft.doubt:
        yield asked(
            f"Which reads right: {comment(draft.doubt, 120)}?", "cp1252 (Windows) or cp850 (DOS)", 4
        )
    if draft.encoding != "utf-8-sig":
        yield f"    encoding = {python_text(draft.encoding)}"
    if not _several(draft):
        first = _forms(draft)
        if first and first[0] != python_text(ISO):
            yield f"    times = {first[0]}"
    yield ""
    yield "    def events(self, row):"
    if plan.rivals:
        others = ", ".join(comment(one.header) for one in plan.rivals[:4])
        yield asked(f"Is {comment(plan.number.header)} the number that stays a record's for ever, or"
                    f" {others}?", "the column below and in `columns`; refs of others use it", 8)  # fmt: skip
    yield f"        number = row.need({python_text(plan.number.header)})"
    yield from _row(draft)


def _forms(draft: Draft) -> list[str]:
    return list(dict.fromkeys(_form(draft, one) for one in _times(draft)))


def _several(draft: Draft) -> bool:
    return len(_forms(draft)) > 1


def _read(draft: Draft, column: Column) -> str:
    """Code that reads a column's time."""
    header, form = python_text(column.header), _form(draft, column)
    if form == python_text(ISO):
        return f"row.instant({header})"
    return f"row.local({header}, self.form({form}))" if _several(draft) else f"row.local({header})"


def _row(draft: Draft) -> Iterator[str]:
    plan = draft.plan
    if plan.said:
        yield f"        said = {_read(draft, plan.said)}"
    if plan.due:
        yield f"        due_at = {_read(draft, plan.due)}"
    always = [s.time for s in plan.steps if s.time.filled >= plan.number.filled]
    for one in always:
        yield f"        row.need({python_text(one.header)})"
    if plan.said or plan.due:
        yield "        row.take_flags()"
    if plan.per_row:
        yield f"        at = {_read(draft, plan.steps[0].time)}"
        event = f"slug(row.need({python_text(plan.event.header)}))" if plan.event else '"recorded"'
        yield f"        event = {event}"
        yield from (f"        {line}" for line in _body(draft))
        return
    iso = python_text(ISO)
    forms = {_form(draft, step.time) for step in plan.steps}
    read = "row.local(column)"
    if forms == {iso}:
        read = "row.instant(column)"
    elif _several(draft):
        read = "row.local(column, self.form(form))"
        read += " if form else row.instant(column)" if iso in forms else ""
    yield f"        for event, column{', form' if 'form' in read else ''} in ("
    for step in plan.steps:
        form = _form(draft, step.time) if "form" in read else ""
        cells = (
            python_text(step.event),
            python_text(step.time.header),
            "None" if form == iso else form,
        )
        yield f"            ({', '.join(filter(None, cells))}),"
    yield "        ):"
    yield f"            at = {read}"
    yield "            if at is not None:"
    yield from (f"                {line}" for line in _body(draft))


def _body(draft: Draft) -> Iterator[str]:
    yield "body = {"
    for one in fields(draft):
        yield f'    "{one.name}": {_value(draft, one)},'
    yield "}"
    known = ", said" if draft.plan.said else ""
    yield f'yield Said("{draft.id}", "{draft.agency}", body, row.line{known})'


def _value(draft: Draft, one: Field) -> str:
    match one.name:
        case "number" | "event" | "at" | "due_at":
            return one.name
        case "place_key":
            return _place(draft)
        case "flags":
            return "row.take_flags()"
        case _ if one.column is not None:
            read = _cell(one.column)
            if one.step is None:
                return read
            empty = '""' if one.type == "string" else "None"
            return f"{read} if event == {python_text(one.step.event)} else {empty}"
        case _:
            return '""'


def _cell(column: Column) -> str:
    header = python_text(column.header)
    match column.kind:
        case Kind.WHOLE:
            return f"row.whole({header})"
        case Kind.DECIMAL:
            return (
                f"row.decimal({header})" if column.point == "." else f'row.decimal({header}, ",")'
            )
        case Kind.YES_NO:
            words = {"": None, **{code: code.lower() in _YES for code in column.codes}}
            return f"row.code({header}, {{{', '.join(f'{python_text(k)}: {v}' for k, v in words.items())}}})"
        case _:
            return f"row.get({header})"


def _place(draft: Draft) -> str:
    plan = draft.plan
    if plan.address is None:
        return '""'
    address = python_text(plan.address.header)
    if plan.house is None:
        return f'street_key(row[{address}]) if row[{address}] else ""'
    house = python_text(plan.house.header)
    return f'street_key(row[{house}] + " " + row[{address}]) if row[{house}] else ""'
