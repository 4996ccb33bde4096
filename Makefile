# Two commands on a machine with nothing but Python: `make demo` and `make test`.
# PYTHON: the interpreter to build the environment with. TORCH: which PyTorch, where the environment has none.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
# The pages of the documentation and the tests compute on few cores each, so that several run at once.
WORKERS ?= 2

# What the compiled kernels are made of: a change installs anew.
KERNELS := CMakeLists.txt $(wildcard src/lenrek/kernels/csrc/*)

.PHONY: demo test sanitize lint docs clean

demo: $(VENV)/.installed
	$(BIN)/python examples/digits.py

test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# The kernels' tests on a build that checks every address and all undefined behaviour. Python itself leaks on purpose.
SANITIZED := build/sanitized
sanitize: $(VENV)/.installed-test
	cmake -S . -B $(SANITIZED) -DLENREK_SANITIZE=ON >/dev/null
	cmake --build $(SANITIZED) --parallel $(WORKERS)
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LENREK_LIBRARY=$(SANITIZED)/liblenrek.so OMP_NUM_THREADS=2 $(BIN)/python -m pytest tests/kernels

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -q docs site

$(VENV)/.torch:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet '$(TORCH)'
	touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml $(KERNELS)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.torch pyproject.toml $(KERNELS)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) site dist build
