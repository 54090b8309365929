# The course at a student's desk: in a starter, `make assignment-3` checks, `make hint-3` helps, and `make watch-3`
# checks whenever a file is saved.
OUT ?= out
title = $(shell sed -n '1s|^// ||p' tests/course/0$(1)_*.cpp tests/course/$(1)_*.cpp 2>/dev/null)

desk = $(call quote,$(OUT))/course

course: ## list the course's assignments, and how far you are
	@for n in $(ASSIGNMENTS); do printf '  make assignment-%s\t' $$n; head -n 1 $(desk)/$$n 2>/dev/null || \
	  cat tests/course/0$${n}_*.cpp tests/course/$${n}_*.cpp 2>/dev/null | sed -n '1s|^// ||p'; done

# $(call is_one,11): an error, unless it is an assignment.
is_one = $(if $(filter $1,$(ASSIGNMENTS)),,$(error there is no assignment $1, but there are: $(ASSIGNMENTS)))

assignment-%: ## run the checks of an assignment in order, as far as they hold
	@$(call is_one,$*)$(MAKE) check-$* && mkdir -p $(desk) && build/check-$* '$(call title,$*)' $* $(desk)/$*

# One hint more each time, for the exercise that is next; behind the last one, all of them.
hint-%: ## a hint for the exercise that is next
	@$(call is_one,$*)[ -e $(desk)/$* ] || { echo 'First: make assignment-$*'; exit 1; }; \
	next=$$(sed -n 2p $(desk)/$*); [ "$$next" ] || { echo 'All checks hold: no hint is left to give.'; exit; }; \
	echo >>$(desk)/hints-$$next; cat tests/course/0$*_*.cpp tests/course/$*_*.cpp 2>/dev/null | \
	awk -v n=$$(wc -l <$(desk)/hints-$$next) -v exercise="$$next:" \
	  '/^\/\/ Hint /{ on = $$3 == exercise; all += on } !/^\/\/ ./ || /^\/\/ Mistake/{ on = 0 } \
	  on { sub("^// (Hint [0-9.]*: )?", ""); hint[all] = hint[all] "  " $$0 "\n" } \
	  END { for (i = n > all ? 1 : n; i <= (n > all ? all : n); ++i) print "Hint " i " of " all ", " exercise "\n" hint[i]; \
	    if (n > all) print "These are all." }'

watch-%: ## run the checks whenever a file is saved
	@$(call is_one,$*)mkdir -p build; while :; do touch build/watched; $(MAKE) assignment-$*; \
	  echo '  Waiting for a file to be saved. Ctrl-C ends this.'; \
	  until [ "$$(find core nn tasks tests/course -newer build/watched | head -1)" ]; do sleep 0.3; done; done
