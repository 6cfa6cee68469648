# Everything a newcomer needs: `make demo`, `make check`. Behind them: meson and ninja.
BUILD ?= build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

check: all
	meson test -C $(BUILD) --print-errorlogs

clean:
	rm -rf $(BUILD)

.PHONY: all check clean
