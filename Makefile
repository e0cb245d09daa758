# The commands of a checkout. Each makes the environment that it needs in .venv.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
BENCH := .venv-bench/bin
BENCH_READY := .venv-bench/ready

# Bytecode is kept, wherever this runs: commands are tested, and timed, as a user has them. It is
# made of what is imported; pip would make it of everything, which takes as long as the rest of setup.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint bench bench-all golden clean

demo: $(READY)  ## compile and train the example, plots in runs/disk
	$(BIN)/specc train examples/disk.spec --dtype float64 --out runs/disk

test: $(READY)  ## two processes, one thread each; then what measures time, alone
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not alone"
	$(BIN)/python -m pytest -q -m alone

lint: $(READY)  ## of specc and its tests; emitted modules are checked by `make test`
	$(BIN)/ruff check .
	$(BIN)/black --check --quiet --diff .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/targets/test_kernels.py  # the plain files of C

bench: $(READY)  ## one pinned core; give it an idle machine
	$(BIN)/python benchmarks/step.py --check

bench-all: $(BENCH_READY)  ## every target beside its peers, plots in benchmarks/out; half an hour
	$(BENCH)/python benchmarks/compare.py --check

golden: $(READY)  ## write generated/ and docs/reference.md anew; read the difference before committing it
	$(BIN)/python -m pytest tests/targets/test_golden.py tests/cli/test_list.py --update-golden

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -qq --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)

$(BENCH_READY): pyproject.toml constraints.txt  # the peers are large: an environment of their own
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/pip install -qq --no-compile --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $(BENCH_READY)

clean:
	rm -rf .venv .venv-bench runs build dist benchmarks/out
