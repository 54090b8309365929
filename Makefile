# mesagrad: `make help` lists what can be made. Results go to $(OUT), compiled files to build/.

# Set by you on the command line, for example `make tutorial-3 SEED=7 SCALE=paper`.
SEED ?=
SCALE ?=
THREADS ?=
OUT ?= out
RESUME ?=
SAVE_EVERY ?=
REAL ?= float
SANITIZE ?=

CXX ?= g++
ifeq ($(origin CXX),default)
CXX := g++
endif

ifeq ($(filter $(REAL),float double),)
$(error REAL=$(REAL) is neither float nor double)
endif
BUILD := build/$(REAL)$(if $(SANITIZE),-sanitize)

# -- The compiler ---------------------------------------------------------------------------------

# accepts FLAG: the flag, if this compiler knows it.
accepts = $(shell $(CXX) -Werror $(1) -E -x c++ /dev/null >/dev/null 2>&1 && echo $(1))

FLAGS := -std=c++20 -O3 -g1 -I. -Wall -Wextra -Wshadow -Wconversion -Werror -MMD -MP
FLAGS += $(or $(call accepts,-march=native),$(call accepts,-mcpu=native))
FLAGS += $(call accepts,-mprefer-vector-width=512)
FLAGS += -fno-math-errno # square roots in vectors: nobody asks errno about them
FLAGS += $(call accepts,-Wno-restrict) # g++ 12 sees overlaps in std::string where there are none
FLAGS += $(call accepts,-Wno-pass-failed) # clang's word for a loop that it did not vectorize
FLAGS += $(if $(filter double,$(REAL)),-DMESAGRAD_DOUBLE)
LIBS :=
ifeq ($(shell uname),Darwin)
LIBOMP := $(shell brew --prefix libomp 2>/dev/null)
BREW := $(shell brew --prefix 2>/dev/null)
FLAGS += -Xpreprocessor -fopenmp -I$(LIBOMP)/include -I$(BREW)/include
LIBS += -L$(LIBOMP)/lib -lomp -L$(BREW)/lib
else
FLAGS += -fopenmp
endif
ifneq ($(SANITIZE),)
FLAGS += $(call accepts,-Wno-maybe-uninitialized) # which g++ 12 misjudges in instrumented code
FLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
endif

# Catch2 version 3 is a library, version 2 a header.
CATCH := $(shell $(CXX) $(filter-out -MMD -MP,$(FLAGS)) -include catch2/catch_all.hpp -E -x c++ /dev/null >/dev/null 2>&1 && echo -lCatch2)

ifeq ($(MAKELEVEL)$(filter -j% j%,$(MAKEFLAGS)),0) # use all cores, unless told otherwise
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN)
endif

# -- What is compiled -----------------------------------------------------------------------------

objects = $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard $(1)))
LIBRARY := $(call objects,core/*.cpp nn/*.cpp tasks/*.cpp)
LESSON := $(call objects,tutorials/lesson/*.cpp)
TESTS := $(call objects,tests/*.cpp tests/core/*.cpp tests/nn/*.cpp tests/tasks/*.cpp tests/lesson/*.cpp)

$(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	@echo "  compiling $<"
	@$(CXX) $(FLAGS) -c $< -o $@

# What draws, prints and saves has no loops to speed up: there, quick to compile matters more.
$(LESSON) $(call objects,core/files.cpp nn/safetensors*.cpp): FLAGS += -O1

$(TESTS): FLAGS := -I$(BUILD) $(FLAGS) -O1
$(TESTS): $(BUILD)/tests/catch.h.gch

# The test framework's header, compiled once for all tests (compilers that can't use it ignore it).
$(BUILD)/tests/catch.h.gch: tests/catch.h
	@mkdir -p $(@D)
	@echo "  compiling $<"
	@$(CXX) $(FLAGS) -x c++-header $< -o $@

$(BUILD)/run-tests: $(TESTS) $(LIBRARY) $(LESSON)
	@$(CXX) $(FLAGS) $^ -o $@ $(CATCH) $(LIBS)

$(BUILD)/bench: $(call objects,tests/bench/*.cpp) $(LIBRARY) $(LESSON)
	@$(CXX) $(FLAGS) $^ -o $@ $(LIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# -- The lessons ----------------------------------------------------------------------------------

LESSONS := $(sort $(wildcard tutorials/[0-9][0-9]_*/lesson.cpp))
number = $(shell expr $(firstword $(subst _, ,$(notdir $(patsubst %/lesson.cpp,%,$(1))))) + 0)
NUMBERS := $(foreach lesson,$(LESSONS),$(call number,$(lesson)))

# rules N SOURCE: how tutorial-N is built and run.
define rules
$(BUILD)/tutorial-$(1): $(patsubst %.cpp,$(BUILD)/%.o,$(2)) $(LIBRARY) $(LESSON)
	@$$(CXX) $$(FLAGS) $$^ -o $$@ $$(LIBS)

.PHONY: tutorial-$(1)
tutorial-$(1): $(BUILD)/tutorial-$(1)
	@$$< SEED=$$(SEED) SCALE=$$(SCALE) THREADS=$$(THREADS) OUT='$$(OUT)' RESUME=$$(RESUME) SAVE_EVERY=$$(SAVE_EVERY)
endef
$(foreach lesson,$(LESSONS),$(eval $(call rules,$(call number,$(lesson)),$(lesson))))

tutorial-%:
	@echo "There is no tutorial-$*. There are: $(NUMBERS:%=tutorial-%)." >&2; exit 2

# -- Commands -------------------------------------------------------------------------------------

.DEFAULT_GOAL := help
.PHONY: help test test-run test-lessons bench sanitize clean

help: ## list what can be made
	@for lesson in $(LESSONS); do \
	  sed -n 's/^.*\.number = \([0-9]*\), *\.title = "\([^"]*\)".*$$/  make tutorial-\1     \2/p' $$lesson; done
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1|\2/p' Makefile | while IFS='|' read name text; do \
	  printf '  make %-14s %s\n' "$$name" "$$text"; done
	@echo "Variables: SEED=1 SCALE=smoke|lesson|paper THREADS=2 OUT=out RESUME=1 REAL=float|double"

test: ## run all tests: in double precision, in float, and a glance at every lesson
	@$(MAKE) --no-print-directory test-run REAL=double
	@$(MAKE) --no-print-directory test-run REAL=float
	@$(MAKE) --no-print-directory test-lessons REAL=float

test-run: $(BUILD)/run-tests
	@echo "Tests in $(REAL):"
	@$(BUILD)/run-tests

# A killed lesson, resumed on other threads, must write the same results but for the time it took.
# refuses COMMAND: it must end with status 2 (1 means that a claim does not hold), and say why in exactly
# one line.
test-lessons: $(NUMBERS:%=$(BUILD)/tutorial-%)
	@for n in $(NUMBERS); do \
	  echo "Lesson $$n at smoke scale"; \
	  $(BUILD)/tutorial-$$n SCALE=smoke OUT=$(BUILD)/smoke >$(BUILD)/smoke.log || exit 1; \
	done
	@echo "Lesson 3, killed in training and resumed"
	@rm -rf $(BUILD)/killed; \
	checkpoint=$(BUILD)/killed/tutorial-3/checkpoints/smoke-seed-1-$(REAL)/layer-1.safetensors; \
	$(BUILD)/tutorial-3 SCALE=smoke OUT=$(BUILD)/killed SAVE_EVERY=0 >$(BUILD)/killed.log & lesson=$$!; \
	until [ -e $$checkpoint ] || ! kill -0 $$lesson 2>/dev/null; do sleep 0.02; done; \
	kill -9 $$lesson; wait $$lesson 2>/dev/null; \
	$(BUILD)/tutorial-3 SCALE=smoke OUT=$(BUILD)/killed SEED=2 >$(BUILD)/killed.log || exit 1; \
	if ! [ -e $$checkpoint ]; then echo "A run with another seed removed $$checkpoint" >&2; exit 1; fi; \
	cp $$checkpoint $(BUILD)/whole.safetensors; \
	printf damaged | dd of=$$checkpoint bs=1 seek=5000 conv=notrunc 2>/dev/null; \
	if $(BUILD)/tutorial-3 SCALE=smoke OUT=$(BUILD)/killed RESUME=1 >$(BUILD)/killed.log 2>&1; then \
	  echo "A damaged checkpoint was accepted" >&2; exit 1; fi; \
	cp $(BUILD)/whole.safetensors $$checkpoint; \
	$(BUILD)/tutorial-3 SCALE=smoke OUT=$(BUILD)/killed RESUME=1 THREADS=3 >$(BUILD)/killed.log || exit 1; \
	for run in smoke killed; do \
	  grep -v -E '"(seconds|threads)":' $(BUILD)/$$run/tutorial-3/results.json >$(BUILD)/$$run.json; \
	done; \
	cmp $(BUILD)/smoke.json $(BUILD)/killed.json
	@refuses() { \
	  "$$@" >/dev/null 2>$(BUILD)/refusal.log; status=$$?; \
	  if [ $$status -ne 2 ]; then echo "Status $$status, not 2: $$*" >&2; exit 1; fi; \
	  if [ "$$(wc -l <$(BUILD)/refusal.log)" -ne 1 ]; then \
	    echo "Not one line of explanation: $$*" >&2; cat $(BUILD)/refusal.log >&2; exit 1; fi; }; \
	for bad in SCALE=huge SEED=abc SEED=-1 RESUME=yes THREADS=0 THREADS=many OUT=/dev/null/out SPEED=11; do \
	  refuses $(BUILD)/tutorial-1 SCALE=smoke OUT=$(BUILD)/smoke $$bad; \
	done; \
	lesson='$(BUILD)/tutorial-1 SCALE=smoke OUT=$(BUILD)/smoke'; \
	refuses env OMP_NUM_THREADS=100000 $$lesson; \
	refuses sh -c "ulimit -f 8; $$lesson"; \
	if [ '$(SANITIZE)' = '' ] && [ "$$(uname)" = Linux ]; then \
	  refuses sh -c "ulimit -v 1000000; $$lesson THREADS=1000"; \
	fi; \
	if [ -e /dev/full ]; then refuses sh -c '$(BUILD)/tutorial-1 SCALE=smoke OUT=$(BUILD)/smoke >/dev/full'; fi; \
	! $(MAKE) --no-print-directory tutorial-99 >/dev/null 2>&1
	@echo "Every lesson runs, and bad input is refused in one sentence."

bench: $(BUILD)/bench ## measure GFLOP/s and the share of this machine's peak
	@$(BUILD)/bench OUT='$(OUT)' THREADS=$(THREADS)

sanitize: ## run all tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory test SANITIZE=1

clean: ## remove everything that was compiled
	@rm -rf build
