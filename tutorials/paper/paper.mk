# All lessons at the authors' scale, a job for each seed. `make paper-jobs` prints those that are not done,
# the shortest first, each a command that may run at any time, beside the others too: killed, it goes on when
# it is started again, with the same bits. The README shows it with xargs, GNU parallel and Slurm.
#
# SEEDS= which; OUT= where: OUT/paper/seed-1/tutorial-5. SCALE=smoke tries all this in minutes (and
# leaves tutorials/REPRODUCTION.md as it is).
paper-scale = $(or $(SCALE),paper)
paper = FOLDER=$(call quote,$(OUT)/$(paper-scale)) SCALE=$(paper-scale) LESSONS='$(NUMBERS)' \
  SEEDS='$(or $(SEEDS),1 2 3 4 5)' MAKE='$(MAKE)' SETTINGS=$(call quote,$(strip $(foreach name,THREADS RATE \
  SAVE_EVERY TEXT CXX REAL ARCH CPPFLAGS CXXFLAGS LDFLAGS LDLIBS STRICT,$(if $(findstring \
  command,$(origin $(name))),$(call typed,$(name)))))) \
  PAGE=$(if $(filter paper,$(paper-scale)),tutorials,$(call quote,$(OUT)/$(paper-scale)))/REPRODUCTION.md

paper: ## run all lessons at the authors' scale, seed by seed, and go on where it was killed: SEEDS="1 2"
	@$(MAKE) reproduction && jobs=$$($(paper) build/reproduction jobs) && unset MAKEFLAGS MAKELEVEL MFLAGS && \
	  printf '%s\n' "$$jobs" | while read -r job; do echo "$$job"; sh -c "$$job" </dev/null || :; done
	@$(MAKE) paper-report

paper-jobs: ## print these runs, a command a line with its hours, for xargs, GNU parallel or Slurm
	@$(MAKE) reproduction >&2 && $(paper) build/reproduction jobs

paper-report: ## merge what has run into tutorials/REPRODUCTION.md, the misses first
	@$(MAKE) reproduction && $(paper) build/reproduction report
