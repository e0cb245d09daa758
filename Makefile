# The commands of a checkout. Each makes the environment that it needs in .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
BENCH := .venv-bench/bin
BENCH_READY := .venv-bench/ready

# Bytecode is kept, wherever this runs: commands are tested, and timed, as a user has them. It is
# made of what is imported; pip would make it of everything, which takes as long as the rest of setup.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-all quick lint bench bench-all golden clean

help:  ## what each command does
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | expand -t 12

demo: $(READY)  ## compile and train the example, plots in runs/disk
	$(BIN)/specc train examples/disk.spec --dtype float64 --out runs/disk

# Two processes, one thread each; then what measures time, alone. tests/tiers.py chooses the tiers.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q
TOGETHER := -n 2 --dist worksteal -m "not alone"
ALONE := -m alone tests/cli/test_startup.py tests/targets/c/test_library.py

test: $(READY)  ## the tests that a change has to pass: under four minutes on two cores
	$(PYTEST) $(TOGETHER)
	$(PYTEST) $(ALONE)

test-all: $(READY)  ## every combination, random specs, planted faults: a quarter of an hour
	$(PYTEST) $(TOGETHER) --tier all
	$(PYTEST) $(ALONE) --tier all

quick: $(READY)  ## format, types, and the tests of what changed since the last commit
	$(BIN)/black --quiet .
	$(BIN)/ruff check .
	$(BIN)/mypy
	tests=$$($(BIN)/python tests/changed.py); test -z "$$tests" || $(PYTEST) $$tests

lint: $(READY)  ## ruff, black and mypy over specc and its tests
	$(BIN)/ruff check .
	$(BIN)/black --check --quiet --diff .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/targets/test_kernels.py  # the plain files of C

bench: $(READY)  ## one pinned core; give it an idle machine
	$(BIN)/python benchmarks/step.py --check

bench-all: $(BENCH_READY)  ## every target beside its peers, plots in benchmarks/out; half an hour
	$(BENCH)/python benchmarks/compare.py --check

GOLDENS := tests/targets/test_golden.py tests/cli/test_list.py tests/explain/test_explain.py \
  tests/emitted/mathematics/test_extremes.py tests/project/test_docs.py

golden: $(READY)  ## write generated/ and the pages of docs/ anew; read the difference before committing it
	$(PYTEST) $(GOLDENS) --update-golden

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

$(BENCH_READY): pyproject.toml constraints.txt  # the peers are large: an environment of their own
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/pip install -qq --no-compile --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $(BENCH_READY)

clean:  ## remove environments and what was made
	rm -rf .venv .venv-bench runs build dist benchmarks/out
