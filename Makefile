# Owns: the names of what can be done here; the doing is in tools/.
# R CMD build leaves this file out of the package.

.DEFAULT_GOAL := help
.PHONY: help bench demo test test-distributed test-old-keras test-nightly test-matrix test-windows mutants exactness crashloop fuzz sanitize coverage check lint docs site install clean

help:
	@echo 'make demo     train, kill -9, run again, compare bit for bit with a run'
	@echo '              that was left alone (KERAS_BACKEND=tensorflow, jax, torch)'
	@echo 'make test     every test (BACKENDS="tensorflow jax torch", FILTER=store)'
	@echo 'make test-distributed  kill workers of one training, run all again'
	@echo 'make test-old-keras  real training with Keras 3.8 and 3.12'
	@echo 'make test-nightly  the exactness table with the Keras that is to come'
	@echo 'make test-matrix   make demo and make test on bare systems (chroot, root)'
	@echo 'make test-windows    the C core, built for Windows, under wine'
	@echo 'make mutants  break each sync, check and lock in turn: a test must notice'
	@echo '              (PYTHON=1: every small change of Python, MODULE=store)'
	@echo 'make check    every test, R CMD check, a quarter of the exactness table,'
	@echo '              20 kills of the crash loop'
	@echo 'make exactness  all of that table: kill, run again, compare all bits'
	@echo 'make crashloop  kill -9 trainings inside their saves (KILLS=1000 SEED=1;'
	@echo '              PEER=keras: those with the callback of Keras itself)'
	@echo 'make fuzz     hostile files and names, SECONDS=60 for each fuzzer'
	@echo 'make sanitize  ASan, UBSan, TSan, valgrind, gctorture: up to an hour'
	@echo 'make coverage  how much of C, R and Python the tests run'
	@echo 'make bench    how long saving takes, beside the limits and others'
	@echo 'make lint     the style of R, C, Python and shell'
	@echo 'make docs     help pages, NAMESPACE and the precomputed vignettes'
	@echo 'make site     the site of the package, into build/site'
	@echo 'make install  the package, into .lib'
	@echo 'make clean    remove all of this again: .venv*, .lib, .cache, demo-output'
	@echo
	@echo 'Each installs what it needs first (Debian) or names it (elsewhere).'

demo:
	@tools/demo/run

test:
	@tools/test

test-distributed:
	@tools/setup test
	@tools/install
	@tools/test-distributed

test-old-keras:
	@tools/test-old-keras

test-nightly:
	@tools/test-nightly

test-matrix:
	@tools/test-matrix

test-windows:
	@tools/test-windows

mutants:
	@tools/mutants

exactness:
	@tools/setup test
	@tools/install
	@tools/exactness

crashloop:
	@tools/setup test "$${KERAS_BACKEND:-torch}"
	@tools/install
	@tools/crashloop/run

# Bash counts in a variable of the same name.
fuzz:
	@env -u SECONDS FUZZ_SECONDS="$(or $(SECONDS),60)" tools/fuzz

sanitize:
	@tools/sanitize

coverage:
	@tools/coverage

check:
	@CHECK=1 tools/test

bench:
	@tools/bench/run

lint:
	@tools/setup lint
	@tools/lint

docs:
	@tools/docs

site:
	@tools/site

install:
	@tools/setup install
	@tools/install

clean:
	rm -rf .venv .venv-* .lib .cache demo-output build *.Rcheck *.tar.gz
