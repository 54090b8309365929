# What teachers make of the course. `make student UPTO=2 OUT=dir` makes a starter for assignment 3 (FROM=mine: with
# the answers in that tree). `make grade A=3 FROM=dir ID=name OUT=dir` grades a submission; SECRET= belongs to the
# seed of its numbers.
student: ## make a starter of the course: UPTO=2 (assignments solved) OUT=dir [FROM=mine] [ID=name]
	@$(MAKE) teacher && $(call typed,UPTO OUT FROM ID) build/teacher student

grade: ## grade a submission: A=3 FROM=dir [ID=name] [SECRET=word] [OUT=out]
	@$(MAKE) teacher && MAKE_COMMAND='$(MAKE)' $(call typed,A FROM ID SECRET) OUT=$(call quote,$(OUT)/grade) build/teacher grade

test-course: ## prove that every assignment of the course can be solved, failed and graded (SEEDS=50 PART=1/1)
	@$(MAKE) teacher && MAKE='$(MAKE)' $(call typed,OUT SEEDS PART) sh tests/course/teacher/proof.sh

gradescope: ## write what Gradescope's autograder is made of: A=3 [OUT=dir] [SECRET=word]
	@$(call typed,A OUT SECRET) sh tests/course/teacher/gradescope.sh
