"""The layout of an explanation: for a terminal, in Markdown, in LaTeX.

Takes an `Explanation`, returns text. Invariant: every format has the same equations, notes and
costs; legend and costs are left out where single layers are asked for.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from specc.emit.headings import title
from specc.explain.code_lines import Lines
from specc.explain.cost import Budget, Cost, Work
from specc.explain.equations import Equation
from specc.explain.explanation import Explanation, Section
from specc.explain.notes import listed
from specc.explain.peak_memory import step_bytes
from specc.explain.rules import Rule

WIDTH = 96
"""The width of a page in characters."""
BATCHES = (1, 32, 1000)
"""The batch sizes whose peak memory is printed."""


@dataclass(frozen=True)
class Page:
    """What to print."""

    explained: Explanation
    file: str
    """The name of the module's file with the arithmetic."""
    command: str
    text: str
    """The text of the module's Python file."""
    sections: Sequence[int]
    """The indices of the sections to print."""
    whole: bool
    """Whether to print the legend and the costs."""

    @property
    def chosen(self) -> list[Section]:
        """The sections to print."""
        return [self.explained.sections[place] for place in self.sections]

    @property
    def title(self) -> str:
        """One line about the network."""
        return title(self.explained.model)


def legend(page: Page) -> str:
    """Return the meaning of the notation, as far as the page uses it."""
    found = " ".join(e.text for section in page.chosen for e in section.equations)
    says = [
        "Samples are columns" if page.explained.derived.columns else "Samples are rows"
    ]
    if re.search(r"\bW\b", found):
        says.append("W and b are the layer's weight and bias")
    if "[W b]" in found:
        says.append("[W b] is both as one matrix")
        says.append("[x; 1] is x with a row of ones below")
    if re.search(r"\bscale\b", found):
        says.append("scale and shift are a norm's weight and bias")
    if re.search(r"\brstd\b|_rstd\b", found):
        says.append("rstd is 1 / standard deviation")
    says.append("* is elementwise")
    if "^T" in found:
        says.append("^T is the transpose")
    if re.search(r"\[[^\]]+ (?:>|<|>=|<=|=|!=) ", found):
        says.append("[x > 0] is 1 where x > 0, else 0")
    if " n)" in found or "/ n" in found:
        says.append("n is the number of elements in the mean")
    return (
        f"{'; '.join(says)}. Names and line numbers are those of {page.file}, as written by"
        f" `{page.command}`. Rules are rows of specc/ir/ops.py; `specc explain --rules`"
        " prints them."
    )


def terminal(page: Page) -> str:
    """Return a page as text in columns."""
    sections = page.chosen
    equations = [each for section in sections for each in section.equations]
    head = Row("", "shape", "rule", "line")
    rows = [head, *(row_of(each) for each in equations)]
    widths = [
        max(len(row.shape) for row in rows),
        max(len(word) for row in rows for word in row.rules.split(" ")),
        max(len(row.lines) for row in rows),
    ]
    lines = [page.title, ""]
    if page.whole:
        lines += [*textwrap.wrap(legend(page), WIDTH), ""]
    lines += list(head.laid_out(widths))
    for section in sections:
        lines.append(section.heading)
        for equation in section.equations:
            lines += row_of(equation).laid_out(widths)
        heading, steps = section.steps
        lines += [f"  {heading}"] * bool(heading)
        lines += [f"      {text}" for text, _ in steps]
        for note in section.notes:
            lines += textwrap.wrap(
                note, WIDTH, initial_indent="  ", subsequent_indent="    "
            )
        lines.append("")
    if page.whole:
        lines += list(budget_lines(page))
    return "\n".join(lines).rstrip("\n") + "\n"


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    text: str
    shape: str
    rules: str
    lines: str

    def laid_out(self, widths: Sequence[int]) -> Iterator[str]:
        """Return the row as lines, wrapped to its columns."""
        left = WIDTH - sum(widths) - 2 * len(widths)
        text = textwrap.wrap(
            self.text, left, initial_indent="  ", subsequent_indent="      "
        )
        columns = [text or [""]]
        for column, width in zip(
            (self.shape, self.rules, self.lines), widths, strict=True
        ):
            columns.append(textwrap.wrap(column, width) or [""])
        for i in range(max(map(len, columns))):
            parts = [column[i] if i < len(column) else "" for column in columns]
            cells = zip(parts, (left, *widths), strict=True)
            yield "  ".join(f"{part:<{width}}" for part, width in cells).rstrip()


def row_of(equation: Equation) -> Row:
    """Return an equation as a row."""
    note = f"  ({equation.note})" if equation.note else ""
    rules = ", ".join(equation.rules)
    return Row(equation.text + note, equation.shape, rules, written(equation.lines))


def written(lines: Lines | None) -> str:
    """Return a range of lines as text."""
    if lines is None:
        return ""
    first, last = lines
    return str(first) if first == last else f"{first}-{last}"


def budget_lines(page: Page) -> Iterator[str]:
    """Return the costs as lines of text."""
    for name, says in budget_facts(page):
        yield from textwrap.wrap(
            says, WIDTH, initial_indent=f"{name:<12}", subsequent_indent=" " * 12
        )


def budget_facts(page: Page) -> Iterator[tuple[str, str]]:
    """Return each cost with its name."""
    explained = page.explained
    budget: Budget = explained.budget
    parts = ["gradients"]
    if budget.vectors:
        plural = "s" if budget.vectors > 1 else ""
        parts.append(f"{budget.vectors} optimizer vector{plural}")
    if budget.buffers:
        parts.append(f"{budget.buffers} buffers of layers")
    state = f"with {listed(parts)} {budget.state:,} numbers, {_bytes(4 * budget.state)}"
    yield "parameters", f"{budget.parameters:,}; {state}"
    yield "forward", f"{_work(budget.forward)}, for a batch of n samples"
    yield "backward", f"{_work(budget.backward)}, including the gradient of the loss"
    yield "update", f"{budget.update.others.of(0):,} operations"
    kept = budget.kept
    yield "saved", f"{_cost(kept)} numbers for the backward pass, {_cost(kept * 4)} bytes"
    yield "memory", f"{_peaks(page)} All sizes are for float32."


def _peaks(page: Page) -> str:
    explained = page.explained
    if explained.memory is not None:
        whole, run = (explained.memory.model_bytes(4), explained.memory.run_bytes(4))
        return (
            f"A model with its workspace takes {_bytes(whole)}, a fit {_bytes(run)} more,"
            " for any batch size."
        )
    model, derived, target = explained.model, explained.derived, explained.target
    sizes: list[str] = []
    for n in BATCHES:
        size = _bytes(step_bytes(model, derived, target, page.text, n, 4))
        sizes.append(f"{size} ({'batch ' * (not sizes)}{n:,})")
    return f"Peak memory of a step besides parameters: {', '.join(sizes)}."


def _work(work: Work) -> str:
    whole = work.products + work.others
    return (
        f"{_cost(whole)} operations, {_cost(work.products)} of them in matrix products"
    )


def _cost(cost: Cost) -> str:
    parts = [f"{cost.each:,.0f} n"] if cost.each else []
    parts += [f"{cost.fixed:,.0f}"] if cost.fixed or not parts else []
    return " + ".join(parts)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def markdown(page: Page) -> str:
    """Return a page as Markdown."""
    lines = [f"# {page.title}", ""]
    if page.whole:
        lines += [legend(page), ""]
    for section in page.chosen:
        lines += [f"## {section.heading}", ""]
        lines += ["| | shape | rule | line |", "|---|---|---|---|"]
        for equation in section.equations:
            row = row_of(equation)
            note = f" ({equation.note})" if equation.note else ""
            cells = [f"{_code(equation.text)}{note}", _code(row.shape)]
            cells += [_code(row.rules), row.lines]
            lines.append(f"| {' | '.join(cells)} |")
        heading, steps = section.steps
        if steps:
            shown = "\n".join(text for text, _ in steps)
            lines += ["", f"{heading}:", "", "```", shown, "```"]
        lines += ["", *(f"- {note}" for note in section.notes), ""]
    if page.whole:
        lines += ["## cost", ""]
        lines += [f"- {name}: {text}" for name, text in budget_facts(page)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


def latex_page(page: Page) -> str:
    """Return a page as a LaTeX document."""
    lines = [
        r"\documentclass{article}",
        r"\usepackage{amsmath}",
        r"\usepackage[margin=2cm]{geometry}",
        r"\allowdisplaybreaks",
        r"\begin{document}",
        rf"\section*{{{_escaped(page.title)}}}",
    ]
    if page.whole:
        lines.append(_escaped(legend(page)))
    for section in page.chosen:
        lines += ["", rf"\subsection*{{{_escaped(section.heading)}}}"]
        if section.equations:
            body = [_aligned(equation) for equation in section.equations]
            lines += [r"\begin{align*}", " \\\\\n".join(body), r"\end{align*}"]
        heading, steps = section.steps
        if steps:
            inside = " \\\\\n".join(tex for _, tex in steps)
            lines += [f"{_escaped(heading)}:", r"\begin{align*}", inside]
            lines.append(r"\end{align*}")
        if section.notes:
            lines.append(" \\\\\n".join(_escaped(note) for note in section.notes))
    if page.whole:
        facts = [f"{name}: {text}" for name, text in budget_facts(page)]
        lines += ["", r"\subsection*{cost}", r"\begin{itemize}"]
        lines += [rf"\item {_escaped(fact)}" for fact in facts]
        lines.append(r"\end{itemize}")
    return "\n".join([*lines, r"\end{document}", ""])


def _aligned(equation: Equation) -> str:
    left, _, right = equation.latex.partition(" = ")
    parts = [equation.shape, ", ".join(equation.rules), written(equation.lines)]
    if equation.note:
        parts.insert(0, equation.note)
    text = ", ".join(_escaped(part) for part in parts if part)
    return rf"{left} &= {right} && \text{{\footnotesize {text}}}"


_SPECIAL = {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
} | {char: "\\" + char for char in "#$%&_{}"}  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text)


RENDERED: Mapping[str, Callable[[Page], str]] = {
    "full": terminal,
    "markdown": markdown,
    "latex": latex_page,
}


def rules_page(rules: Sequence[Rule], output_format: str) -> str:
    """Return the table of derivative rules as text."""
    heads = ("rule", "y", "added to dL/dx, with dy = dL/dy")
    table = [heads, *((rule.name, rule.forward, rule.derivative) for rule in rules)]
    if output_format == "full":
        width, middle = max(len(rule.name) for rule in rules), 28
        lines = []
        for name, forward, derivative in table:
            start = f"{name:<{width}}  {forward:<{middle}}"
            if len(forward) > middle:  # too long for one line
                lines.append(start)
                start = " " * (width + 2 + middle)
            lines.append(f"{start}  {derivative}")
        return "\n".join(lines) + "\n"
    if output_format == "latex":
        rows = [r"\begin{tabular}{lll}"]
        for cells in table:
            rows.append(
                " & ".join(rf"\texttt{{{_escaped(c)}}}" for c in cells) + r" \\"
            )
        return "\n".join([*rows, r"\end{tabular}", ""])
    rows = [f"| {' | '.join(heads)} |", "|---|---|---|"]
    rows += [f"| {' | '.join(map(_code, cells))} |" for cells in table[1:]]
    return "\n".join(rows) + "\n"
