# Two commands matter: `make run` and `make test`. Both set up what they need, both can be repeated.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
PORT ?= 8501
BIN := .venv/bin
# Three files at a time, each on one thread of linear algebra: our products are small, and threads wait for each other.
# Of two cores three are kept busy: a browser test waits for its server half of the time.
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-slow check bench demo docs lock screenshots clean

run: .venv/runtime
	@echo "FMD Studio opens on http://127.0.0.1:$(PORT)"
	@$(BIN)/python app/open_browser.py http://127.0.0.1:$(PORT) &
	$(BIN)/streamlit run app/server.py --server.port $(PORT)

test: .venv/develop             # what a change should pass before it is shown to anybody
	$(BIN)/python tests/ensure_browser.py || { $(PYTEST) -m "not browser and not slow"; exit 1; }
	$(PYTEST) -m "not slow"

test-slow: .venv/develop        # servers, browsers on every page, real training, long fuzzing, the wheel
	$(BIN)/python tests/ensure_browser.py || { $(PYTEST) -m "slow and not browser"; exit 1; }
	$(PYTEST) -m slow

check: .venv/develop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/audit_dependencies.py

bench: .venv/develop .venv-bench/ready   # about 40 minutes; docs/benchmarks.md and .json are written after each part
	-$(BIN)/python tests/ensure_browser.py
	.venv-bench/bin/python tests/benchmarks/every_part.py

demo: .venv/runtime            # rebuild sample_data from its sources (trains both models, about 4 minutes)
	$(BIN)/python sample_data/build_colored_digits.py
	$(BIN)/python sample_data/build_synthetic_faces.py
	# sample_data/build_hate_texts.py needs the public texts of its README

docs: .venv-docs/ready         # build/site: tutorials, how-to, reference; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. .venv-docs/bin/mkdocs build --quiet --strict
	@echo "The site lies in build/site/index.html"

lock: .venv/develop             # rewrite what the container installs, with digests (Linux, Python 3.11, a network)
	$(BIN)/python tests/image/lock.py

screenshots: .venv/develop     # rebuild assets/screenshots
	$(BIN)/python tests/ensure_browser.py
	$(BIN)/python assets/take_screenshots.py

.venv/runtime: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "FMD Studio needs Python 3.11, 3.12 or 3.13."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv-docs/ready: requirements-docs.txt
	@test -n "$(PYTHON)" || { echo "FMD Studio needs Python 3.11, 3.12 or 3.13."; exit 1; }
	$(PYTHON) -m venv --clear .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

# What `bench` measures beside us lies in an environment of its own that sees all of .venv, which stays as it
# is. kronfluence installs a top-level package `tests`, which would hide ours.
.venv-bench/ready: .venv/runtime requirements-bench.txt
	$(BIN)/python -m venv --clear .venv-bench
	.venv-bench/bin/python -c "import sys, sysconfig; open(sysconfig.get_path('purelib') + '/layer.pth', 'w').write('import site; site.addsitedir(%r)' % sys.argv[1])" \
	  "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	rm -rf .venv-bench/lib/python*/site-packages/tests
	@touch $@

.venv/develop: .venv/runtime requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv .venv-docs .venv-bench .pytest_cache .mypy_cache .ruff_cache build *.egg-info
