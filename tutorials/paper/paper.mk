# All lessons at the authors' scale, a job for each seed. `make paper-jobs` prints those that are not done,
# the shortest first, each a command that may run at any time, beside the others too: killed, it goes on when
# it is started again, with the same bits, and once it is done it does nothing. The README shows it with xargs,
# GNU parallel and Slurm.
#
# SEEDS= and LESSONS= which; OUT= where: OUT/paper/seed-1/tutorial-5. The report is of all runs that are kept
# in tutorials/paper/results, where it puts those of this machine first. With PAGE=file, another SCALE (smoke
# tries all this in minutes), RATE, REAL or TEXT it is of this machine's alone, and leaves tutorials/ as it is.
paper-scale = $(or $(value SCALE),paper)
paper-alone = $(or $(value PAGE),$(value TEXT),$(filter-out paper 1 float,$(paper-scale) $(value RATE) $(REAL)))
paper-page = $(or $(value PAGE),$(if $(paper-alone),$(or $(value OUT),out)/$(paper-scale),tutorials)/REPRODUCTION.md)
paper = MAKE='$(MAKE)' SEEDS=$(call quote,$(or $(value SEEDS),1 2 3 4 5)) \
  LESSONS=$(call quote,$(or $(value LESSONS),$(NUMBERS))) SETTINGS=$(call quote,$(strip $(foreach \
  name,THREADS RATE SAVE_EVERY TEXT CXX REAL ARCH CPPFLAGS CXXFLAGS LDFLAGS LDLIBS STRICT,$(if $(findstring \
  command,$(origin $(name))),$(call typed,$(name)))))) KEPT=tutorials/paper/results README=README.md \
  PAGE=$(call quote,$(paper-page)) build/reproduction
paper-settings = SCALE=$(call quote,$(paper-scale)) $(call typed,OUT THREADS RATE SAVE_EVERY TEXT)

paper: ## run all lessons at the authors' scale, and go on where it was killed: SEEDS="1 2" LESSONS="5 9"
	@$(MAKE) reproduction && jobs=$$($(paper) jobs $(paper-settings)) && unset MAKEFLAGS MAKELEVEL MFLAGS && \
	  IFS=$$(printf '\n.') && IFS=$${IFS%.} && set -f && \
	  for job in $$jobs; do unset IFS; echo "$$job"; sh -c "$$job" </dev/null || :; done
	@$(MAKE) paper-report && $(paper) left $(paper-settings)

paper-jobs: ## print these runs, a command a line with its hours, for xargs, GNU parallel or Slurm
	@$(MAKE) reproduction >&2 && $(paper) jobs $(paper-settings)

paper-report: ## keep what has run, and write tutorials/REPRODUCTION.md of all that is kept (PAGE=mine.md: of yours)
	@$(MAKE) reproduction && $(paper) $(if $(paper-alone),report,publish) $(paper-settings)
