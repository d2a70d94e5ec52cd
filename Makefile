# The few words that anybody needs; the work is Meson's.
BUILD = tools/build

all: build
build: ; @$(BUILD) build
demo: ; @tools/install-deps --build && $(BUILD) build && examples/demo/run
test: ; @tools/install-deps && tools/run_tests
bench: ; @tools/install-deps --bench && $(BUILD) build && bench/run
soak: ; @tools/install-deps && tools/run_tests --soak
asan: ; @$(BUILD) build-asan && tools/run_tests --only asan
tsan: ; @$(BUILD) build-tsan && tools/run_tests --only tsan
fuzz: ; @$(BUILD) build-fuzz && tools/run_fuzz
cov: ; @$(BUILD) build-cov && tools/run_tests --only cov
tidy: ; @$(BUILD) build && tools/check_layers build && tools/tidy && tools/check_format
clean: ; rm -rf build build-*

.PHONY: all build demo test bench soak asan tsan fuzz cov tidy clean
