"""An explanation on a page: for a terminal, in Markdown, in LaTeX.

Takes an `Explanation`, gives text. The budget stands below, where all of it is asked for.
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
from specc.explain.peak_memory import step_bytes
from specc.explain.rules import Rule

WIDTH = 96
"""How wide a page is."""
BATCHES = (1, 32, 1000)
"""The batches whose memory is told."""


@dataclass(frozen=True)
class Page:
    """What is to be printed."""

    explained: Explanation
    file: str
    """The name of the module's file with the arithmetic."""
    command: str
    text: str
    """The text of the module's Python file."""
    sections: Sequence[int]
    """The places of those that are asked for."""
    whole: bool
    """Whether legend and budget are asked for too."""

    @property
    def chosen(self) -> list[Section]:
        """The sections to be printed."""
        return [self.explained.sections[place] for place in self.sections]

    @property
    def title(self) -> str:
        """What the network is, in a line."""
        return title(self.explained.model)


def legend(page: Page) -> str:
    """Say what the notation means, of what the page has of it."""
    found = " ".join(e.text for section in page.chosen for e in section.equations)
    says = [
        "Samples are columns" if page.explained.derived.columns else "Samples are rows"
    ]
    if re.search(r"\bW\b", found):
        says.append("W and b are the layer's own weight and bias")
    if "[W b]" in found:
        says.append("[W b] is both as one matrix")
        says.append("[x; 1] is x above a row of ones")
    says.append("* goes element by element")
    if "^T" in found:
        says.append("^T is a transpose")
    if re.search(r"\[[^\]]+ (?:>|<|>=|<=|=|!=) ", found):
        says.append("[x > 0] is 1 where x > 0, else 0")
    if " n)" in found or "/ n" in found:
        says.append("n counts what a mean is over")
    return (
        f"{'; '.join(says)}. Names are those of {page.file}, as `{page.command}` writes"
        " it; lines are of that file. Rules are rows of specc/ir/ops.py, which"
        " `specc explain --rules` prints."
    )


def terminal(page: Page) -> str:
    """Lay a page out in columns."""
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
        """Give the lines that it takes."""
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
    """Give the columns of an equation."""
    note = f"  ({equation.note})" if equation.note else ""
    rules = ", ".join(equation.rules)
    return Row(equation.text + note, equation.shape, rules, written(equation.lines))


def written(lines: Lines | None) -> str:
    """Write where something stands."""
    if lines is None:
        return ""
    first, last = lines
    return str(first) if first == last else f"{first}-{last}"


def budget_lines(page: Page) -> Iterator[str]:
    """Say what the network costs."""
    for name, says in budget_facts(page):
        yield from textwrap.wrap(
            says, WIDTH, initial_indent=f"{name:<10}", subsequent_indent=" " * 10
        )


def budget_facts(page: Page) -> Iterator[tuple[str, str]]:
    """Give each fact of the budget, under a word."""
    explained = page.explained
    budget: Budget = explained.budget
    state = f"{budget.state:,} with gradients"
    if budget.vectors:
        state += f" and {budget.vectors} of the optimizer's vectors"
    if budget.buffers:
        state += f", {budget.buffers} of layers"
    yield "numbers", f"{budget.parameters:,} parameters; {state}: {_bytes(4 * budget.state)}"
    yield "forward", f"{_work(budget.forward)}, for n samples"
    yield "backward", f"{_work(budget.backward)}, with the loss's derivative"
    yield "update", f"{budget.update.others.of(0):,} operations"
    kept = budget.kept
    yield "kept", f"{_cost(kept)} numbers from forward to backward: {_cost(kept * 4)} bytes"
    yield "at once", f"{_peaks(page)}; all in float32"


def _peaks(page: Page) -> str:
    explained = page.explained
    if explained.memory is not None:
        whole, run = (explained.memory.model_bytes(4), explained.memory.run_bytes(4))
        return (
            f"{_bytes(whole)} of a model with its workspace, {_bytes(run)} more of a fit,"
            " for batches of any size"
        )
    model, derived, target = explained.model, explained.derived, explained.target
    sizes = [
        f"{_bytes(step_bytes(model, derived, target, page.text, n, 4))} for {n:,}"
        for n in BATCHES
    ]
    return f"a step holds {', '.join(sizes)} samples more than these"


def _work(work: Work) -> str:
    whole = work.products + work.others
    return f"{_cost(whole)} operations, {_cost(work.products)} of them in products"


def _cost(cost: Cost) -> str:
    parts = [f"{cost.each:,.0f} n"] if cost.each else []
    parts += [f"{cost.fixed:,.0f}"] if cost.fixed or not parts else []
    return " + ".join(parts)


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def markdown(page: Page) -> str:
    """Lay a page out as Markdown."""
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
        lines += ["", *(f"- {note}" for note in section.notes), ""]
    if page.whole:
        lines += ["## budget", ""]
        lines += [f"- {name}: {says}" for name, says in budget_facts(page)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


def latex_page(page: Page) -> str:
    """Lay a page out as a LaTeX document of equations."""
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
        if section.notes:
            lines.append(" \\\\\n".join(_escaped(note) for note in section.notes))
    if page.whole:
        facts = [f"{name}: {says}" for name, says in budget_facts(page)]
        lines += ["", r"\subsection*{budget}", r"\begin{itemize}"]
        lines += [rf"\item {_escaped(fact)}" for fact in facts]
        lines.append(r"\end{itemize}")
    return "\n".join([*lines, r"\end{document}", ""])


def _aligned(equation: Equation) -> str:
    left, _, right = equation.latex.partition(" = ")
    told = [equation.shape, ", ".join(equation.rules), written(equation.lines)]
    if equation.note:
        told.insert(0, equation.note)
    says = ", ".join(_escaped(part) for part in told if part)
    return rf"{left} &= {right} && \text{{\footnotesize {says}}}"


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
    """Lay out the table of rules."""
    heads = ("rule", "y", "from dy = dL/dy comes")
    table = [heads, *((rule.name, rule.forward, rule.derivative) for rule in rules)]
    if output_format == "full":
        width, middle = max(len(rule.name) for rule in rules), 28
        lines = []
        for name, forward, derivative in table:
            start = f"{name:<{width}}  {forward:<{middle}}"
            if len(forward) > middle:  # which leaves no room beside it
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
