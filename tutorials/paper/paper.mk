# All lessons at the authors' scale, a job for each seed. `make paper-jobs` prints the jobs that are not done, shortest
# first, each a command that may run at any time and beside the others: killed, it goes on, with the same bits.
#
#   make paper-jobs THREADS=1 | tr '\n' '\0' | xargs -0 -n 1 -P 2 sh -c      two at a time
#   make paper-jobs THREADS=1 | parallel -j 2                                the same with GNU parallel
#   make paper-jobs THREADS=2 >jobs                                          a Slurm array
#   sbatch -c 2 --requeue --array=1-$(wc -l <jobs) --wrap 'sh -c "$(sed -n ${SLURM_ARRAY_TASK_ID}p jobs)"'
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
	  printf '%s\n' "$$jobs" | while read -r job; do [ -z "$$job" ] || { echo "$$job"; sh -c "$$job" </dev/null || :; }; done
	@$(MAKE) paper-report

paper-jobs: ## print these runs, a command a line with its hours, for xargs, GNU parallel or Slurm
	@$(MAKE) reproduction >&2 && $(paper) build/reproduction jobs

paper-report: ## merge what has run into tutorials/REPRODUCTION.md, the misses first
	@$(MAKE) reproduction && $(paper) build/reproduction report
