# The few words that anybody needs; the work is Meson's. V=1 shows each command of a build.
BUILD = tools/build
PREFIX = /usr/local

all: build
build: ; @$(BUILD) build
demo: ; @tools/install-deps --build && $(BUILD) build && examples/demo/run
install: ; @$(BUILD) build && install -D -m 755 -s build/neuron "$(DESTDIR)$(PREFIX)/bin/neuron"
test: ; @tools/install-deps && tools/run_tests
bench: ; @tools/install-deps --bench && $(BUILD) build && bench/run
soak: ; @tools/install-deps && tools/run_tests --soak
asan: ; @$(BUILD) build-asan neuron tests && tools/run_tests --only asan
tsan: ; @$(BUILD) build-tsan neuron tests && tools/run_tests --only tsan
fuzz: ; @$(BUILD) build-fuzz && tools/run_fuzz
cov: ; @$(BUILD) build-cov neuron tests && tools/run_tests --only cov
tidy: ; @$(BUILD) build && tools/check_layers build && tools/tidy && tools/check_english && tools/check_format
clean: ; rm -rf build build-*

.PHONY: all build demo install test bench soak asan tsan fuzz cov tidy clean
