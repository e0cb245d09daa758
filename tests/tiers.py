"""Which cases of a test `make test` runs (the quick tier), and which `make test-all` alone.

The quick tier has at least one case of every test function:

- A test runs whole where neither rule below says otherwise.
- A product of more than `SMALL` cases (networks x targets x batch sizes) runs every value of every
  dimension once, and not every combination.
- `CHOSEN` has the cases of a test that takes long, or says `WHOLE` of a product.

`pytest` runs the quick tier, `pytest --tier all` everything. A test that is named on the command
line (`file.py::test`) runs whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

SMALL = 12
WHOLE = 1

CHOSEN: dict[str, int | tuple[str, ...]] = {
    "emit/test_formatting.py::test_emitted_modules_are_what_black_makes_of_them": 4,
    "emitted/module/test_names.py::test_names_that_are_allowed_change_nothing": (
        "d_x-x-n-real",
        "weight-bias-matrix-real",
        "x-figures-Model-classes",
        "NULL-TILE-LANES-INFINITY-classes",
        "double_-restrict-m-main-real",
        "batch-s-p-t-classes",
    ),
    "emitted/module/test_standalone.py::test_it_is_a_command": ("alone",),
    "emitted/module/test_text.py::test_the_text_is_clean": (
        "torch-ruff",
        "numpy-black",
        "c-ruff",
    ),
    "emitted/training/test_optimizers.py::test_another_update_is_told_apart": (
        "adam",
        "adamw, decayed",
        "rmsprop, momentum",
        "adagrad",
    ),
    "emitted/training/test_resume.py::test_a_killed_run_goes_on": ("torch", "c"),
    "explain/test_explain.py::test_a_pencil_gets_the_gradients": 4,
    "explain/test_explain.py::test_every_derivation_of_a_module_is_explained_with_its_line": 4,
    "explain/test_explain.py::test_every_rule_is_in_the_table": 4,
    "explain/test_explain.py::test_latex_is_mathematics": 8,
    "cli/test_foreign_text.py::test_names_of_classes_and_columns_are_text": 2,
    "fuzz/test_files.py::test_no_file_is_a_bug": ("0",),
    "fuzz/test_fuzz.py::test_mutated_texts": ("5",),
    "fuzz/test_random_specs.py::test_specs_at_random_are_right": ("1",),
    "fuzz/test_random_specs.py::test_what_failed_once_is_right": (
        "adam_of_what_cancels-numpy",
        "all_gradients_zero-c",
        "bias_at_a_kink-torch",
        "concat_twice-c",
        "loss_of_met_targets-numpy",
        "norm_of_one_explodes-numpy",
        "rounding_of_batch_norm-torch",
    ),
    "run/test_plots.py::test_no_name_stops_a_plot": 3,
    "run/test_plots.py::test_numbers_of_any_size_are_drawn": 3,
    "run/test_train.py::test_every_example_trains": 3,
    "syntax/test_parser.py::test_nesting_beyond_all_bounds_is_an_error_like_any_other": (
        "parentheses",
    ),
    "targets/c/test_source.py::test_a_fault_of_a_function_is_found": 4,
    "targets/c/test_source.py::test_compilers_have_no_warning": 3,
    "targets/c/test_source.py::test_every_width_gives_the_same": (
        "a panel of few rows",
        "definitions",
        "disk",
        "eight",
        "positions",
        "views_in_concat",
    ),
    "targets/c/test_source.py::test_fit_is_that_of_the_module": 3,
    "targets/c/test_source.py::test_sanitizers_find_a_planted_fault": 3,
    "targets/c/test_source.py::test_sanitizers_find_nothing": (
        "disk",
        "narrow state",
        "norms of rows",
        "positions",
    ),
    "targets/test_golden.py::test_generated_is_up_to_date": WHOLE,
    "targets/test_same_bytes.py::test_surroundings_change_nothing": (
        "hash seed 1",
        "turkish",
    ),
    "verify/test_verify.py::test_a_fault_of_the_compiler_is_found": (
        "a wrong row of ops.py",
    ),
    "verify/test_verify.py::test_every_example_verifies_on_every_target": (
        "iris-c",
        "mixer-torch",
        "wine-numpy",
    ),
    "verify/test_verify.py::test_faults_that_only_a_program_in_c_meets_are_found": 4,
    "verify/test_verify.py::test_holes_that_were_closed_stay_closed": 3,
    "verify/test_verify.py::test_planted_faults_of_a_module_are_found": ("numpy",),
}
"""A test -> the ids of its cases in the quick tier, or every so many-th of them."""


def quick(cases: Sequence[pytest.Function], test: str) -> list[pytest.Function]:
    """Return the cases of one test function, `folder/test_file.py::test`, for the quick tier."""
    chosen = CHOSEN.get(test)
    if chosen is None:
        return walk(cases) if len(cases) > SMALL else list(cases)
    if isinstance(chosen, int):
        return list(cases[::chosen])
    ids = {case.callspec.id: case for case in cases}
    if stale := [name for name in chosen if name not in ids]:
        raise pytest.UsageError(f"tests/tiers.py: {test} has no case {stale}: {[*ids]}")
    return [ids[name] for name in chosen]


def walk(cases: Sequence[pytest.Function]) -> list[pytest.Function]:
    """Return a case for each value of the longest dimension; the others go round beside it.

    Of names a b c d and targets t n, these are a-t b-n c-t d-n.
    """
    places = [_place(case) for case in cases]
    numbers = [
        {value: n for n, value in enumerate(dict.fromkeys(axis))}
        for axis in zip(*places, strict=True)
    ]
    at = {
        tuple(n[v] for n, v in zip(numbers, place, strict=True)): case
        for place, case in zip(places, cases, strict=True)
    }
    sizes = [len(n) for n in numbers]
    turns = (tuple(i % size for size in sizes) for i in range(max(sizes)))
    return [at[turn] for turn in turns]


def _place(case: pytest.Function) -> list[tuple[int, ...]]:
    """Return the value of each dimension: of a `parametrize` mark, or of a fixture."""
    params = case.callspec.params
    marks = [mark.args[0] for mark in case.iter_markers("parametrize")]
    axes = [
        tuple(
            name.strip()
            for name in (names.split(",") if isinstance(names, str) else names)
        )
        for names in marks
    ]
    named = {name for axis in axes for name in axis}
    axes += [(name,) for name in params if name not in named]
    return [tuple(id(params[name]) for name in axis) for axis in axes]
