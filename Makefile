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
# For which processor: this one, or x86-64-v3, armv8-a, ... if the program will run on others.
ARCH ?= native
# What runs the programs of another machine, for example `qemu-aarch64 -L /usr/aarch64-linux-gnu`.
RUNNER ?=
# Not empty: warnings are errors.
STRICT ?=
# The customary CXX, CPPFLAGS, CXXFLAGS, LDFLAGS and LDLIBS are used too, yours behind ours.
ifeq ($(origin CXX),default)
CXX := g++
endif

hash := \#
# quote TEXT: one word for the shell. given NAME: a variable as it was typed, $$ and all, as one word.
quote = '$(subst ','\'',$(1))'
given = $(call quote,$(value $(1)))

# -- Goals, one after another ---------------------------------------------------------------------

# The make that you start makes each goal by a make of its own: in the order you name them, and on all
# cores, unless told otherwise.
ifneq ($(filter 0,$(MAKELEVEL))$(word 2,$(MAKECMDGOALS)),)
GOALS := $(or $(MAKECMDGOALS),help)
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))

.PHONY: goals $(GOALS)
$(GOALS): goals ;@:
goals:
	@$(foreach goal,$(GOALS),$(MAKE) --no-print-directory $(JOBS) $(call quote,$(goal)) &&) :

else

.PHONY: help test test-run test-lessons bench sanitize fingerprints clean
help: ## list what can be made
	@for lesson in $(wildcard tutorials/[0-9][0-9]_*); do \
	  name=$${lesson#tutorials/}; number=$${name%%_*}; \
	  printf '  make tutorial-%-4s  %s\n' "$${number#0}" "$$(echo "$${name#*_}" | tr _ ' ')"; done
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1|\2/p' Makefile | while IFS='|' read name text; do \
	  printf '  make %-14s %s\n' "$$name" "$$text"; done
	@echo "Variables: SEED=1 SCALE=smoke|lesson|paper THREADS=2 OUT=out RESUME=1 REAL=float|double"
	@echo "           CXX=clang++ ARCH=native|x86-64-v3|... CXXFLAGS=..."

test: ## run all tests: in double precision, in float, and a glance at every lesson
	@$(MAKE) --no-print-directory test-run REAL=double
	@$(MAKE) --no-print-directory test-run REAL=float
	@$(MAKE) --no-print-directory test-lessons REAL=float

sanitize: ## run all tests under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory test SANITIZE=1

fingerprints: ## publish the fingerprints of all lessons anew, after a change of the arithmetic
	@MAKE='$(MAKE)' sh tests/fingerprints.sh

clean: ## remove everything that was compiled
	@rm -rf build

# From here to the end: what needs a compiler.
ifeq ($(filter help test sanitize fingerprints clean,$(MAKECMDGOALS)),)

# -- The compiler ---------------------------------------------------------------------------------

ifeq ($(findstring [$(REAL)],[float] [double]),)
$(error REAL=$(value REAL) is neither float nor double)
endif

ifeq ($(shell printf '%s\n' '$(hash)if __clang_major__ >= 14 || (!__clang__ && __GNUC__ >= 12)' yes \
    '$(hash)endif' | $(CXX) -E -P -x c++ - 2>/dev/null),)
$(error mesagrad needs g++ 12 or clang++ 14, or newer ones, and CXX=$(CXX) is none of them)
endif

# accepts FLAG: the flag, if this compiler knows it.
preprocess = $(CXX) $(FLAGS) $(CPPFLAGS) -Werror $(call quote,$(1)) -E -x c++ /dev/null
accepts = $(if $(shell $(preprocess) >/dev/null 2>&1 && echo yes),$(1))

FLAGS := -std=c++20 -g1 -I. -Wall -Wextra -Wshadow -Wconversion
PROCESSOR := $(or $(call accepts,-march=$(ARCH)),$(call accepts,-mcpu=$(ARCH)))
ifeq ($(or $(PROCESSOR),$(filter native,$(ARCH))),)
$(error $(CXX) knows no processor of the name ARCH=$(value ARCH))
endif
FLAGS += $(PROCESSOR)
FLAGS += $(if $(STRICT),-Werror)
FLAGS += $(call accepts,-mprefer-vector-width=512)
FLAGS += -ffp-contract=off # the source says what is a fused multiply-add: the same bits everywhere
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
OPTIMIZE := -O3
ifneq ($(SANITIZE),)
FLAGS += $(call accepts,-Wno-maybe-uninitialized) # which g++ 12 misjudges in instrumented code
FLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all
OPTIMIZE := -O1
endif
COMPILE = $(CXX) $(FLAGS) $(OPTIMIZE) $(CPPFLAGS) $(CXXFLAGS)

# A build folder belongs to one compiler, one set of flags and one processor. Its name ends in a
# checksum of all that the compiler says about itself, of what `native` is here, and of the flags, so
# that nothing compiled otherwise or elsewhere is ever linked or run.
IDENTITY := $(shell { LC_ALL=C $(COMPILE) -v -dM -E -x c++ /dev/null 2>&1 | \
    sed 's/--param[ =]l[12]-cache-[a-z-]*=[0-9]*//g'; \
    echo $(call quote,$(COMPILE) $(LDFLAGS) $(LIBS) $(LDLIBS)); } | cksum | cut -d ' ' -f 1)
BUILD := build/$(REAL)-$(ARCH)-$(notdir $(firstword $(CXX)))$(if $(SANITIZE),-sanitize)-$(IDENTITY)

# -- What is compiled -----------------------------------------------------------------------------

objects = $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard $(1)))
LIBRARY := $(call objects,core/*.cpp nn/*.cpp tasks/*.cpp)
LESSON := $(call objects,tutorials/lesson/*.cpp)
LESSONS := $(call objects,tutorials/[0-9][0-9]_*/lesson.cpp)
TESTS := $(call objects,tests/*.cpp tests/core/*.cpp tests/nn/*.cpp tests/tasks/*.cpp tests/lesson/*.cpp)
BENCH := $(call objects,tests/bench/*.cpp)
CATCH := $(BUILD)/tests/catch.h.gch
OBJECTS := $(LIBRARY) $(LESSON) $(LESSONS) $(TESTS) $(BENCH) $(call objects,tests/fuzz/*.cpp)

# Tutorial N is the folder tutorials/0N_*.
number = $(patsubst 0%,%,$(firstword $(subst _, ,$(notdir $(patsubst %/lesson.o,%,$(1))))))
NUMBERS := $(foreach lesson,$(LESSONS),$(call number,$(lesson)))

# Which objects a goal lacks, to say how far it is.
$(foreach lesson,$(LESSONS),$(eval own.tutorial-$(call number,$(lesson)) := $(lesson)))
own.test-run := $(TESTS)
own.test-lessons := $(LESSONS)
own.bench := $(BENCH)
own.objects := $(OBJECTS)
LACKING := $(LIBRARY) $(if $(filter-out library,$(MAKECMDGOALS)),$(LESSON)) $(own.$(MAKECMDGOALS))
LACKING := $(sort $(filter-out $(wildcard $(LACKING)),$(LACKING)))
counted = $(if $(filter $@,$(LACKING)),$(eval count += $@)$(words $(count))/$(words $(LACKING)) )

# Files are written beside their place and then renamed, so that none is ever there in part, however
# a make ended and whatever another make does. $$$$ is the number of the shell's process. An object's
# headers, as the compiler lists them, are in a file of words, the last of which says how many they are.
define compile
@mkdir -p $(@D)
@echo "  $(counted)compiling $<"
@new=$@.$$$$; $(COMPILE) -MMD -MF $$new.d $(1) $< -o $$new && \
  echo $$(($$(wc -w <$$new.d) + 1)) >>$$new.d && mv $$new.d $@.d && mv $$new $@ || \
  { rm -f $$new $$new.d; exit 1; }
endef
define link
@$(COMPILE) $(filter %.o,$^) -o $@.$$$$ $(LDFLAGS) $(1) $(LIBS) $(LDLIBS) && mv $@.$$$$ $@ || \
  { rm -f $@.$$$$; exit 1; }
endef

# requires OBJECT,WORDS: it is compiled again if a header changed, or if its list of words is not whole.
requires = $(1): $(if $(filter $(words $(2)),$(lastword $(2))),$(wildcard $(filter %.h,$(2))),again)
$(foreach object,$(OBJECTS) $(CATCH),$(eval $(call requires,$(object),$(file <$(object).d))))
.PHONY: again library objects

$(BUILD)/%.o: %.cpp
	$(call compile,-c)

# What draws, prints and saves has no loops to speed up: there, quick to compile matters more.
$(LESSON) $(TESTS) $(call objects,core/files.cpp nn/safetensors*.cpp): OPTIMIZE := -O1

# The test framework's header, compiled once for all tests (compilers that can't use it ignore it).
$(CATCH): tests/catch.h
	$(call compile,-x c++-header)
$(TESTS): FLAGS := -I$(BUILD) $(FLAGS)
$(TESTS): $(CATCH)

# Catch2 version 3 is a library, version 2 a header.
CATCH_LIBRARY = $(if $(call accepts,-includecatch2/catch_all.hpp),-lCatch2)

$(BUILD)/run-tests: $(TESTS) $(LIBRARY) $(LESSON)
	$(call link,$(CATCH_LIBRARY))

$(BUILD)/bench: $(BENCH) $(LIBRARY) $(LESSON)
	$(call link)

$(NUMBERS:%=$(BUILD)/tutorial-%): $(LIBRARY) $(LESSON)
	$(call link)
$(foreach lesson,$(LESSONS),$(eval $(BUILD)/tutorial-$(call number,$(lesson)): $(lesson)))

library: $(LIBRARY)
objects: $(OBJECTS)

# -- Running --------------------------------------------------------------------------------------

.PHONY: $(NUMBERS:%=tutorial-%)
$(NUMBERS:%=tutorial-%): %: $(BUILD)/%
	@$(RUNNER) $< $(foreach name,SEED SCALE THREADS OUT RESUME SAVE_EVERY,$(name)=$(call given,$(name)))

tutorial-%:
	@echo "There is no "$(call quote,$@)". There are: $(NUMBERS:%=tutorial-%)." >&2; exit 2

bench: $(BUILD)/bench ## measure GFLOP/s and the share of this machine's peak
	@$(RUNNER) $< OUT=$(call given,OUT) THREADS=$(call given,THREADS)

# Tests use more threads than there may be idle cores; a thread that waits must not keep one busy.
test-run test-lessons: export OMP_WAIT_POLICY := passive

test-run: $(BUILD)/run-tests
	@echo "Tests in $(REAL):"
	@$(RUNNER) $<

test-lessons: $(NUMBERS:%=$(BUILD)/tutorial-%)
	@BUILD=$(BUILD) NUMBERS='$(NUMBERS)' REAL=$(REAL) RUNNER='$(RUNNER)' SANITIZE='$(SANITIZE)' \
	  MAKE='$(MAKE)' sh tests/lessons.sh

endif
endif
