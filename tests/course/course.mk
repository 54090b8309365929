# The course. `make student UPTO=2 OUT=dir` makes a starter for assignment 3 (FROM=mine: with the answers in that
# tree); there, `make assignment-3` checks, `make hint-3` helps, `make watch-3` checks whenever a file is saved.
# `make grade A=3 FROM=dir ID=name OUT=dir` grades a submission; SECRET= belongs to the seed of its numbers.
OUT ?= out
title = $(shell sed -n '1s|^// ||p' tests/course/0$(1)_*.cpp tests/course/$(1)_*.cpp 2>/dev/null)

desk = $(call quote,$(OUT))/course

course: ## list the course's assignments, and how far you are
	@for n in $(ASSIGNMENTS); do printf '  make assignment-%s\t' $$n; head -n 1 $(desk)/$$n 2>/dev/null || \
	  cat tests/course/0$${n}_*.cpp tests/course/$${n}_*.cpp 2>/dev/null | sed -n '1s|^// ||p'; done

# $(call is_one,11): an error, unless it is an assignment.
is_one = $(if $(filter $1,$(ASSIGNMENTS)),,$(error there is no assignment $1, but there are: $(ASSIGNMENTS)))

assignment-%:
	@$(call is_one,$*)$(MAKE) check-$* && mkdir -p $(desk) && build/check-$* '$(call title,$*)' $* $(desk)/$*

# One hint more each time, for the exercise that is next; behind the last one, all of them.
hint-%:
	@$(call is_one,$*)[ -e $(desk)/$* ] || { echo 'First: make assignment-$*'; exit 1; }; \
	next=$$(sed -n 2p $(desk)/$*); [ "$$next" ] || { echo 'All checks hold: no hint is left to give.'; exit; }; \
	echo >>$(desk)/hints-$$next; cat tests/course/0$*_*.cpp tests/course/$*_*.cpp 2>/dev/null | \
	awk -v n=$$(wc -l <$(desk)/hints-$$next) -v exercise="$$next:" \
	  '/^\/\/ Hint /{ on = $$3 == exercise; all += on } !/^\/\/ ./ || /^\/\/ Mistake/{ on = 0 } \
	  on { sub("^// (Hint [0-9.]*: )?", ""); hint[all] = hint[all] "  " $$0 "\n" } \
	  END { for (i = n > all ? 1 : n; i <= (n > all ? all : n); ++i) print "Hint " i " of " all ", " exercise "\n" hint[i]; \
	    if (n > all) print "These are all." }'

watch-%:
	@$(call is_one,$*)mkdir -p build; while :; do touch build/watched; $(MAKE) assignment-$*; \
	  echo '  Waiting for a file to be saved. Ctrl-C ends this.'; \
	  until [ "$$(find core nn tasks tests/course -newer build/watched | head -1)" ]; do sleep 0.3; done; done

student: ## make a starter of the course: UPTO=2 (assignments solved) OUT=dir [FROM=mine] [ID=name]
	@$(MAKE) teacher && $(call typed,UPTO OUT FROM ID) build/teacher student

grade: ## grade a submission: A=3 FROM=dir [ID=name] [SECRET=word] [OUT=out]
	@$(MAKE) teacher && MAKE_COMMAND='$(MAKE)' $(call typed,A FROM ID SECRET) OUT=$(call quote,$(OUT)/grade) build/teacher grade

test-course: ## prove that every assignment of the course can be solved, failed and graded (SEEDS=50)
	@$(MAKE) teacher && MAKE='$(MAKE)' $(call typed,OUT SEEDS) sh tests/course/proof.sh

gradescope: ## write what Gradescope's autograder is made of: A=3 [OUT=dir] [SECRET=word]
	@$(call typed,A OUT SECRET) sh tests/course/gradescope.sh
