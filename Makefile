# mesagrad: `make help` lists what can be made. Results go to $(OUT), compiled files to build/.

# What you can set on the command line, as in `make tutorial-3 SEED=7`.
## Variables: SEED=1 SCALE=smoke|lesson|paper THREADS=2 OUT=out RATE=1 RESUME=1 SAVE_EVERY=60 REAL=float|double
##   TEXT=file-or-folder CXX=clang++ ARCH=native|x86-64-v3|... CPPFLAGS, CXXFLAGS, LDFLAGS and LDLIBS (yours last)
##   STRICT=1 (a warning is an error) SANITIZE=1 RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
REAL ?= float
ARCH ?= native
# quote TEXT: one word for the shell. typed NAMES: NAME='text' of each as you typed it, $$ and all.
quote = '$(subst ','\'',$(1))'
typed = $(foreach name,$(1),$(name)=$(call quote,$(value $(name))))

# All cores are used, unless you say otherwise.
MAKEFLAGS += --no-print-directory --no-builtin-rules
ifeq ($(MAKELEVEL)$(filter -j%,$(shell echo "$$MAKEFLAGS")),0)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN)
endif

.DEFAULT_GOAL := help

# Tutorial 3 is the folder tutorials/03_*.
NUMBERS := $(shell ls tutorials/[0-9]*/lesson.cpp | sed -n 's|^tutorials/0*\([0-9]*\)_.*|\1|p')
TUTORIALS := $(NUMBERS:%=tutorial-%)
.PHONY: help test test-run test-lessons sanitize fuzz kill-test fingerprints clean library objects bench book \
    again $(TUTORIALS)
ASSIGNMENTS := $(shell ls tests/course | sed -n 's/^0*\([0-9]*\)_.*/\1/p')
# Goals of the .mk files.
INCLUDED := course student grade gradescope test-course assignment-% hint-% watch-% paper paper-jobs paper-report

# Several goals are made one after another, each by a make of its own.
ifneq ($(word 2,$(MAKECMDGOALS)),)
.NOTPARALLEL:
.PHONY: $(MAKECMDGOALS)
$(MAKECMDGOALS):
	@$(MAKE) $(call quote,$@)

# -- Goals that need no compiler ------------------------------------------------------------------
else ifeq ($(filter-out help test sanitize fuzz fingerprints clean $(INCLUDED),$(MAKECMDGOALS)),)
include tests/course/course.mk tutorials/paper/paper.mk
-include tests/course/teacher/teacher.mk
help: ## list what can be made
	@{ ls tutorials/[0-9]*/lesson.cpp | \
	  sed -n 's|^tutorials/0*\([0-9]*\)_\(.*\)/.*|  make tutorial-\1@\2|p' | tr _ ' '; \
	  sed -n 's/^\([a-z%-]*\):.*## /  make \1@/p; s/^## /  /p' Makefile tests/course/course.mk \
	  $(wildcard tests/course/teacher/*.mk) tutorials/paper/paper.mk; } | \
	  tr '@%' '\tN' | expand -t 22

test: ## run all tests: in double precision, in float, and a glance at every lesson
	@[ ! -e tests/course/starter ] || echo "In a starter, tests of what is not written yet fail: make assignment-N instead."
	@$(MAKE) test-run REAL=double
	@$(MAKE) test-run REAL=float
	@$(MAKE) test-lessons REAL=float

sanitize: ## run all tests under the address and undefined-behaviour sanitizers
	@$(MAKE) test SANITIZE=1

fuzz: ## look for inputs that break what reads files, settings, marks and text (RUNS=1000000 each; needs clang)
	@MAKE='$(MAKE)' CXX=$(if $(filter default,$(origin CXX)),,$(call quote,$(CXX))) $(call typed,OUT RUNS SEED) sh tests/fuzz/fuzz.sh

fingerprints: ## publish the fingerprints of all lessons anew, after a change of the arithmetic
	@MAKE='$(MAKE)' sh tests/fingerprints.sh

clean: ## remove everything that was compiled
	@rm -rf build

# -- Goals that need one: tests/compiler.sh says with what flags, and a checksum for its folder ---
else
ifneq ($(filter check-%,$(MAKECMDGOALS)),) # exercises: exact numbers, and quick to compile
REAL := double
CXXFLAGS += -O1 -g0
endif
COMPILER := $(shell $(foreach name,CXX CPPFLAGS CXXFLAGS LDFLAGS LDLIBS REAL ARCH STRICT SANITIZE, \
    $(name)=$(call quote,$($(name)))) sh tests/compiler.sh)
$(if $(filter error:,$(COMPILER)),$(error $(filter-out error:,$(COMPILER))))
BUILD := build/$(REAL)-$(ARCH)-$(notdir $(firstword $(CXX)))-$(firstword $(COMPILER))
FLAGS := $(filter-out -L% -l%,$(filter -%,$(COMPILER)))
LIBS := $(filter -L% -lomp,$(COMPILER))
COMPILE = $(CXX) -I$(BUILD) -I. $(FLAGS) $(CPPFLAGS) $(CXXFLAGS)

# own.GOAL: what it needs besides the library.
objects = $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard $(1)))
LIBRARY := $(call objects,core/*.cpp nn/*.cpp tasks/*.cpp tutorials/lesson/*.cpp)
$(foreach n,$(NUMBERS),$(eval own.tutorial-$n := $(call objects,tutorials/0$n_*/*.cpp tutorials/$n_*/*.cpp)))
own.test-lessons := $(call objects,tutorials/[0-9]*/*.cpp)
own.test-run := $(call objects,$(addprefix tests/,*.cpp core/*.cpp nn/*.cpp tasks/*.cpp lesson/*.cpp paper/*.cpp) \
    $(addprefix tests/course/,exercises.cpp sandbox.cpp teacher/*.cpp) \
    $(addprefix tutorials/,paper/r*.cpp book/[!m]*.cpp))
own.bench := $(call objects,tests/bench/*.cpp)
own.reproduction := $(call objects,tutorials/paper/*.cpp)
$(foreach n,$(ASSIGNMENTS),$(eval own.check-$n := $(call objects,tests/course/0$n_*.cpp tests/course/$n_*.cpp \
    $(patsubst %,tests/course/%.cpp,check desk main sandbox exercises))))
own.teacher := $(filter-out %_test.o,$(call objects,tests/course/teacher/*.cpp)) \
    $(call objects,$(patsubst %,tests/course/%.cpp,main sandbox exercises) core/files.cpp core/utf8.cpp \
    tutorials/lesson/writing.cpp)
FUZZ := $(patsubst tests/fuzz/%.cpp,fuzz-%,$(wildcard tests/fuzz/*.cpp))
$(foreach goal,$(FUZZ),$(eval own.$(goal) := $(call objects,$(goal:fuzz-%=tests/fuzz/%.cpp) tests/course/exercises.cpp)))
own.book := $(call objects,tutorials/book/*.cpp)
own.objects := $(own.test-lessons) $(own.book) $(own.test-run) $(call objects,$(addsuffix /*.cpp,tutorials/paper \
    tests/bench tests/fuzz tests/course tests/course/teacher))
OBJECTS := $(sort $(LIBRARY) $(own.objects))
library: $(LIBRARY)
objects: $(OBJECTS)

# "3/60": the third of the objects that this goal lacks.
KERNEL := $(filter-out $(BUILD)/tutorials/%,$(LIBRARY))
LACKING := $(filter-out $(wildcard $(OBJECTS)),$(own.$(MAKECMDGOALS)) \
    $(if $(filter check-%,$(MAKECMDGOALS)),$(KERNEL),$(if $(filter teacher,$(MAKECMDGOALS)),,$(LIBRARY))))
progress = $(if $(filter $@,$(LACKING)),$(eval started += $@)$(words $(started))/$(words $(LACKING)))

# Files are written beside their place and then renamed, so that none is ever there in part, however a make
# ended and whatever another one does. $$$$ is the number of the shell's process.
CATCH := $(BUILD)/tests/catch.h.gch
$(CATCH): $(BUILD)/%.gch: %
$(OBJECTS): $(BUILD)/%.o: %.cpp
$(OBJECTS) $(CATCH):
	@mkdir -p $(@D)
	@echo '  $(strip $(progress) compiling $<)'
	@$(COMPILE) -MMD -MP -MT $@ -MF $@.$$$$.d -c $< -o $@.$$$$ && echo whole: >>$@.$$$$.d && \
	  mv $@.$$$$.d $@.d && mv $@.$$$$ $@

# The compiler's lists of headers. What has no whole list is compiled again.
WHOLE := $(shell grep -lsx whole: $(addsuffix .d,$(OBJECTS) $(CATCH)))
include $(WHOLE)
$(filter-out $(WHOLE:.d=),$(OBJECTS) $(CATCH)): again

# What draws, prints, saves and tests has no loops to speed up: there, quick to compile matters more.
QUICK := $(call objects,core/files.cpp nn/safetensors*.cpp $(addsuffix /*.cpp,tutorials/lesson tutorials/paper \
    tests/course tests/course/teacher)) $(own.test-run) $(CATCH)
$(QUICK): FLAGS := $(FLAGS:-O3=-O1)
$(call objects,tutorials/book/*.cpp): FLAGS := $(FLAGS:-O3=-O0)

# Assignment 9 is about speed.
$(call objects,core/gemm.cpp tests/course/09_*.cpp): CXXFLAGS := $(patsubst -O1,-O3,$(CXXFLAGS))

# The test framework's header, compiled once: -I$(BUILD) finds it (compilers that can't use it ignore it).
$(CATCH): COMPILE += -x c++-header
$(own.test-run): $(CATCH)

TOOLS := $(ASSIGNMENTS:%=check-%) teacher reproduction $(FUZZ)
PROGRAMS := $(TUTORIALS) test-run bench book $(TOOLS)
$(foreach goal,$(PROGRAMS),$(eval $(BUILD)/$(goal): $(own.$(goal))))
$(BUILD)/test-run: LIBS += $(filter -lCatch2,$(COMPILER))
$(TUTORIALS:%=$(BUILD)/%) $(addprefix $(BUILD)/,test-run bench book reproduction $(FUZZ)): $(LIBRARY)
$(BUILD)/reproduction: | $(TUTORIALS:%=$(BUILD)/%) # so that jobs that start at once find nothing to compile
$(ASSIGNMENTS:%=$(BUILD)/check-%): $(KERNEL)
$(PROGRAMS:%=$(BUILD)/%):
	@$(COMPILE) $(filter %.o,$^) -o $@.$$$$ $(LDFLAGS) $(LIBS) $(LDLIBS) && mv $@.$$$$ $@

# For results: of what source. A folder without a history has none.
COMMIT = $(shell git describe --always --dirty --exclude '*' 2>/dev/null)
book: ## write the lessons and the library as one book
bench: ## measure GFLOP/s and the share of this machine's peak
$(TUTORIALS) bench book: %: $(BUILD)/%
	@MESAGRAD_COMMIT='$(COMMIT)' $(call typed,CXX) $(RUNNER) $< \
	  $(call typed,SEED SCALE THREADS OUT RATE RESUME SAVE_EVERY TEXT)
$(TOOLS): %: $(BUILD)/% # programs that other goals run, for which build/ has one place
	@cp $< build/$@.$$$$ && mv build/$@.$$$$ build/$@
tutorial-%: ; $(error there is no $@, but there are: $(TUTORIALS))

# Tests use more threads than there may be idle cores; a thread that waits must not keep one busy.
test-run test-lessons kill-test: export OMP_WAIT_POLICY := passive
test-run: $(BUILD)/test-run
	@echo "Tests in $(REAL):"
	@$(RUNNER) $<
test-lessons: $(addprefix $(BUILD)/,$(TUTORIALS) reproduction book bench)
	@MAKE='$(MAKE)' RUNNER=$(call quote,$(RUNNER)) $(call typed,BUILD NUMBERS REAL SANITIZE) sh tests/lessons.sh
kill-test: $(TUTORIALS:%=$(BUILD)/%) $(BUILD)/teacher ## kill lessons and `make student` at random moments (TIMES=1000)
	@$(call typed,BUILD NUMBERS TIMES SEED) sh tests/kill.sh
endif
