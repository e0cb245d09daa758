"""A syntax tree as text, for `--emit ast`.

Takes any tree; returns text for people, not for tools. Each node is a line with its place in the
spec.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from specc.syntax.source import Source, Span

SHORT = 88
"""A node that fits on a line of this length is written on one."""


def outline(node: object) -> str:
    """Print a syntax tree: `Kind(field=...)`, indented, with `@line:column` behind a statement."""
    return "\n".join(_outlined(node, "")) + "\n"


def _outlined(node: object, before: str) -> list[str]:
    whole = before + _inline(node)
    if len(whole) + len(_place(node)) <= SHORT or not _parts(node):
        return [whole + _place(node)]
    lines = [f"{before}{_kind(node)}{_place(node)}"]
    for name, part in _parts(node):
        indent = before[: len(before) - len(before.lstrip())] + "  "
        items = part if isinstance(part, tuple) and part else (part,)
        for item in items:
            lines += _outlined(item, f"{indent}{name}: " if name else indent)
    return lines


def _parts(node: object) -> list[tuple[str, object]]:
    if isinstance(node, tuple):
        return [("", item) for item in node]
    if not is_dataclass(node):
        return []
    found = [(f.name, getattr(node, f.name)) for f in fields(node)]
    told = [(n, p) for n, p in found if not isinstance(p, Span | Source)]
    return [(name, part) for name, part in told if part is not None and part != ()]


def _inline(node: object) -> str:
    if isinstance(node, tuple):
        return f"[{', '.join(_inline(item) for item in node)}]"
    parts = _parts(node)
    if not parts:
        return repr(node)
    if len(parts) == 1 or (len(parts) == 2 and not any(_parts(p) for _, p in parts)):
        return f"{_kind(node)}({', '.join(_inline(part) for _, part in parts)})"
    return f"{_kind(node)}({', '.join(f'{n}={_inline(p)}' for n, p in parts)})"


def _kind(node: object) -> str:
    return type(node).__name__


def _place(node: object) -> str:
    span = getattr(node, "span", None)
    if not isinstance(span, Span):
        return ""
    line, column = span.source.position(span.start)
    return f"  @{line}:{column}"
