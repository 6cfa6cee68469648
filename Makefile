# Everything a newcomer needs; behind it: meson and ninja. `make help` lists the targets.
BUILD ?= build
export BUILD

all: $(BUILD)/build.ninja ## build metic
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

deps: ## install what building and testing need (Debian, Ubuntu)
	tests/install-deps

demo: ## build, fetch guest programs, run them with live output
	tests/install-deps
	$(MAKE) all
	tests/e2e/demo.py

check: all ## unit tests and a quick set of real guest programs
	meson test -C $(BUILD) --print-errorlogs

check-all: all ## everything: full roots, storms, foreign test suites; takes hours
	tests/install-deps all
	meson test -C $(BUILD) --print-errorlogs --setup all

check-tiers: all ## instructions, system calls and Debian's programs with each tier forced, and hot at once; takes hours
	set -e; for setup in tier_quick tier_hot at_once; do \
		meson test -C $(BUILD) --print-errorlogs --setup $$setup --logbase $$setup --suite insn --suite linux --suite e2e; \
		for guest in arm64 riscv64; do \
			meson test -C $(BUILD) --print-errorlogs --setup $$setup --logbase $$setup-full-$$guest "e2e full $$guest"; \
		done; \
	done

bench: all ## time kernels natively, under metic and under a peer
	bench/run.py --md $(BUILD)/bench.md --json $(BUILD)/bench.json $(BENCH)

sanitize: ## unit tests under the address and undefined behaviour sanitizers
	[ -d $(BUILD)-sanitize ] || meson setup $(BUILD)-sanitize -Db_sanitize=address,undefined -Db_lundef=false -Db_ndebug=false
	LSAN_OPTIONS=suppressions=$(CURDIR)/tests/leaks meson test -C $(BUILD)-sanitize --print-errorlogs --suite unit --timeout-multiplier 5

docs: ## the documentation as HTML in $(BUILD)/docs
	sphinx-build -q -W -b html docs $(BUILD)/docs

format: ## clang-format on the lines changed since the last commit; tables keep their shape
	git clang-format --extensions c,h

install: all ## install under meson's prefix
	meson install -C $(BUILD)

deb: ## Debian packages in $(BUILD)-deb/packages
	[ -d $(BUILD)-deb ] || meson setup $(BUILD)-deb --prefix /usr --buildtype release -Dtests=disabled
	ninja -C $(BUILD)-deb
	tools/make-deb $(BUILD)-deb $(BUILD)-deb/packages

clean: ## remove the build folders
	rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-deb

.PHONY: all help deps demo check check-all check-tiers bench sanitize docs format install deb clean
