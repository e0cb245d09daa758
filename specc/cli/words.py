"""The listing of `specc list`: the vocabulary, read off the library.

Takes names of kinds and of words, returns Items and their text. Invariant: nothing about a word is
written here; signature, arguments and docstring are those of the library.
"""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from specc.check.arguments.convert import described
from specc.check.arguments.unknown_words import called, is_missing
from specc.ir.functions import CONSTANTS, FORMULAS
from specc.library import VOCABULARY
from specc.library.kinds import HEADINGS, article
from specc.library.other_names import CALLED
from specc.library.vocabulary import Argument, Entry, spelled
from specc.syntax.diagnostics import either
from specc.syntax.spelling import did_you_mean

BODIES = {"repeat": ("repeat(n) { ... }", "Repeats its body n times.")}
"""The layers that belong to the grammar: signature, meaning."""

WIDEST, NARROWEST = 100, 56
"""The range of the width of the text, which follows the terminal."""


@dataclass(frozen=True)
class ArgumentLine:
    """One argument: its name, its type and range, its default as a spec writes it."""

    name: str
    takes: str
    default: str | None
    """None if the argument must be given."""


@dataclass(frozen=True)
class Item:
    """One word of the vocabulary."""

    kind: str
    name: str
    signature: str
    formula: str
    """The first sentence of the docstring."""
    details: str
    """The rest of the docstring."""
    arguments: tuple[ArgumentLine, ...]
    source: str
    """Literature, or the class of another library; "" if there is none."""


class UnknownWord(Exception):
    """A name that is neither a kind nor a word; the message has a suggestion."""


def items() -> tuple[Item, ...]:
    """Return the whole vocabulary, by kind, in the order of the library."""
    found = []
    for kind in HEADINGS:
        found += [_of_entry(entry) for entry in VOCABULARY.get(kind, {}).values()]
        if kind == "layer":
            found += [_of_text(kind, *texts) for texts in BODIES.values()]
    found += [_of_text("function", *texts) for texts in FORMULAS.items()]
    for name, value in CONSTANTS.items():
        found.append(_of_text("function", name, f"{spelled(value)}, a constant."))
    return tuple(found)


def chosen(names: Sequence[str]) -> tuple[Item, ...]:
    """Return the words that are named, directly or by their kind; all if there are no names.

    Raises UnknownWord.
    """
    known = items()
    if not names:
        return known
    kinds = {word: kind for kind, many in HEADINGS.items() for word in (kind, many)}
    for name in names:
        if name not in kinds and name not in {item.name for item in known}:
            raise UnknownWord(_unknown(name, [*kinds, *(item.name for item in known)]))
    wanted = {kinds[name] for name in names if name in kinds}
    return tuple(i for i in known if i.kind in wanted or i.name in names)


def listing(found: Iterable[Item], output_format: str, width: int = 0) -> str:
    """Return items in one of `terminal.LISTINGS`; a `width` of 0 is that of the terminal."""
    width = width or shutil.get_terminal_size().columns
    width = max(NARROWEST, min(width, WIDEST))
    match output_format:
        case "json":
            return "".join(json.dumps(asdict(item)) + "\n" for item in found)
        case "concise":
            return "".join(f"{item.signature}: {item.formula}\n" for item in found)
        case "markdown":
            return _by_kind(found, _markdown_kind, _markdown)
    return _by_kind(found, _plain_kind, lambda item: _plain(item, width))


def reference() -> str:
    """Return the page `docs/reference.md`."""
    title = "# Reference\n\nThe vocabulary, as `specc list --output-format markdown` prints it."
    title += " [language.md](language.md) describes how a spec is written.\n\n"
    return title + listing(items(), "markdown")


def parts_of(docstring: str) -> tuple[str, str, str]:
    """Split a docstring into its first sentence, the rest, and its source."""
    text, _, source = " ".join(docstring.split()).partition("Source: ")
    first, *rest = re.split(r"(?<=\.)\s+(?=[A-Z`])", text.strip(), maxsplit=1)
    return first, " ".join(rest), source.strip().rstrip(".")


def _of_entry(entry: Entry) -> Item:
    docstring = entry.make.__doc__ or ""
    if docstring.startswith(
        f"{entry.make.__name__}("
    ):  # what a dataclass writes itself
        docstring = ""
    formula, details, source = parts_of(docstring)
    arguments = tuple(_of_argument(argument) for argument in entry.arguments)
    return Item(
        entry.kind,
        entry.name,
        entry.signature,
        formula,
        details,
        arguments,
        source,
    )


def _of_argument(argument: Argument) -> ArgumentLine:
    kind = argument.kind
    texts = [article(kind)] if kind else []
    takes = either([*texts, *described(argument)])
    if argument.constraint is not None:
        takes += f", {argument.constraint}"
    default = None if argument.required else spelled(argument.default)
    return ArgumentLine(argument.name, takes, default)


def _of_text(kind: str, signature: str, formula: str) -> Item:
    name = signature.partition("(")[0]
    return Item(kind, name, signature, formula, "", (), "")


def _unknown(name: str, known: Iterable[str]) -> str:
    """Return the message about a name that `specc list` does not know."""
    called_here = (called(kind, name) for kind in CALLED if kind != "argument")
    hint = next(filter(None, called_here), "")
    if not hint and is_missing(name):
        return f"`{name}` is not available yet"
    kinds = f"the kinds are {', '.join(HEADINGS.values())}"
    return f"nothing is called `{name}`: {hint or did_you_mean(name, known) or kinds}"


def _by_kind(
    found: Iterable[Item], heading: Callable[[str], str], show: Callable[[Item], str]
) -> str:
    texts = []
    kind = ""
    for item in found:
        if item.kind != kind:
            kind = item.kind
            texts.append(heading(kind))
        texts.append(show(item))
    return "\n".join(texts)


def _plain_kind(kind: str) -> str:
    return f"{HEADINGS[kind]}\n"


def _plain(item: Item, width: int) -> str:
    """Return an item indented by 2, its text by 6, wrapped arguments further."""

    def wrapped(text: str, first: str, then: str) -> list[str]:
        return textwrap.wrap(
            text,
            width,
            initial_indent=first,
            subsequent_indent=then,
            break_long_words=False,
            break_on_hyphens=False,
        )

    lines = wrapped(item.signature, "  ", " " * 10)
    for text in (item.formula, item.details):
        lines += wrapped(text, " " * 6, " " * 6)
    column = max((len(argument.name) for argument in item.arguments), default=0) + 8
    for argument in item.arguments:
        start = f"{' ' * 6}{argument.name}".ljust(column)
        lines += wrapped(argument.takes, start, " " * column)
    if item.source:
        lines += wrapped(f"Source: {item.source}.", " " * 6, " " * 6)
    return "\n".join(lines) + "\n"


def _markdown_kind(kind: str) -> str:
    return f"## {HEADINGS[kind].capitalize()}\n"


def _markdown(item: Item) -> str:
    text = f"{item.formula} {item.details}".rstrip()
    lines = [f"### `{item.signature}`", "", _escaped(text)]
    if item.arguments:
        lines.append("")
        lines += [f"- `{a.name}`: {_escaped(a.takes)}" for a in item.arguments]
    if item.source:
        lines += ["", f"Source: {_escaped(item.source)}."]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Escape Markdown in formulas; code spans stay."""
    pieces = re.split(r"(`[^`]*`)", text)
    pieces[::2] = [re.sub(r"([\\*<|\[\]]|_(?!\w))", r"\\\1", p) for p in pieces[::2]]
    return "".join(pieces)
