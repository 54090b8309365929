# make test-course: that every assignment can be solved, can be failed, and gives nothing away.
#
# For every k a starter is cut: it compiles without a warning, all checks up to k hold, and all later ones fail
# with the sentence that something is not written yet. The solutions hold for SEEDS seeds. Every listed mistake
# (PART=2/3: of the second third) makes a check of its exercise fail. A starter gets no point when it is graded. No
# hostile submission gets one, or keeps another exercise from its own. What `make gradescope` writes grades,
# unpacked, all three.
set -eu
SEEDS=${SEEDS:-50} PART=${PART:-1/1} work=${OUT:-out}/course-proof teacher=build/teacher
mkdir -p "$work"
work=$(cd "$work" && pwd)
start=$(date +%s)
fails() { echo "test-course: $*" >&2; exit 1; }
step() { echo "$(($(date +%s) - start)) s: $*"; }
assignments=$(ls tests/course | sed -n 's/^0*\([0-9]*\)_.*/\1/p' | sort -n)
graded=$(ls tests/course | sed -n 's/^0\([0-9]\)_.*/\1/p')
programs=$(for j in $assignments; do echo check-$j; done)
workers=$(getconf _NPROCESSORS_ONLN)
export OMP_WAIT_POLICY=passive
unset STRICT # as students compile; that there is no warning is looked up

# checks_in TREE ASSIGNMENT: number, exercise of each of its checks
checks_in() { "$1/build/check-$2" list | cut -f 1 | awk '{ print NR - 1, $1 }'; }
# holds TREE ASSIGNMENT NUMBER: does that check? What it says is in TREE/build/said.
holds() {
  (cd "$1" && echo token | timeout 60 build/check-$2 one $3 >build/said 2>&1 3>build/token && [ "$(cat build/token)" = token ]) 2>/dev/null
}
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fails "$*"; }; }
grades() { A=$1 FROM=$2 ID=mallory OUT=$work/grade MAKE_COMMAND=$MAKE quietly $teacher grade; } # its table: in $work/log

# Does an exercise start with code that is right, but slow? Then it has no sentence to say, and its checks,
# which take their time to be sure, are tried in the last starter alone.
given=$(awk '/\/\/ exercise /{ id = $3 } /\/\/\|/{ print id }' core/*.* nn/*.* tasks/*.* | sort -u)
is_given() { echo "$given" | grep -qx "$1:"; }

step "Starters"
for k in 0 $assignments; do
  UPTO=$k $teacher leaks
  UPTO=$k OUT=$work/starter quietly $teacher student
  quietly $MAKE -C "$work/starter" $programs
  ! grep -q 'warning:' "$work/log" || fails "starter of assignment $((k + 1)): $(cat "$work/log")"
  for j in $assignments; do
    checks_in "$work/starter" $j | while read -r number exercise; do
      where="starter of assignment $((k + 1)), check $number of $exercise" said=$work/starter/build/said
      if [ $j -le $k ]; then
        holds "$work/starter" $j $number || fails "$where: $(cat "$said")"
      elif ! is_given $exercise; then
        ! holds "$work/starter" $j $number || fails "$where holds before it is written"
        grep -q "is not written yet" "$said" || fails "$where should say that it is not written: $(cat "$said")"
      elif [ $j -eq $((k + 1)) ]; then
        holds "$work/starter" $j $number || [ -s "$said" ] || fails "$where says nothing"
      fi
    done
  done
done

step "Solutions, $SEEDS seeds"
for worker in $(seq $workers); do
  [ -e "$work/solved-$worker" ] || cp -a "$work/starter" "$work/solved-$worker"
  UPTO=10 OUT=$work/solved-$worker quietly $teacher student
done
quietly $MAKE -C "$work/solved-1" $programs
for j in $assignments; do
  for seed in $(seq $SEEDS); do echo $j $seed; done
done | (cd "$work/solved-1" && xargs -P $workers -n 2 sh -c 'TEST_SEED=$1 build/check-$0 x $0 build/progress-$0-$1 >build/said-$0-$1 ||
  { echo "assignment $0, seed $1:"; cat build/said-$0-$1; exit 255; }; rm build/*-$0-$1') || fails "a solution fails"

step "Mistakes, part $PART"
case $PART in [1-9]/[1-9]) ;; *) fails "PART=$PART is none, as 2/3 is" ;; esac
$teacher mistakes >"$work/mistakes"
rm -f "$work/unseen"*
# Each worker has a tree of its own, and plants every so manieth mistake in it.
tries_mistakes() {
  tree=$work/solved-$1 n=0
  while IFS='	' read -r j exercise mistake; do
    n=$((n + 1))
    [ $((n % ${PART#*/})) = $((${PART%/*} % ${PART#*/})) ] && [ $((n / ${PART#*/} % workers)) = $(($1 % workers)) ] || continue
    MISTAKE=$n OUT=$tree $teacher plant
    $MAKE -C "$tree" check-$j >"$tree/build/log" 2>&1 || { echo "the mistake $mistake of $exercise does not compile" >>"$work/unseen"; continue; }
    for number in $(checks_in "$tree" $j | sed -n "s/ $exercise\$//p"); do
      holds "$tree" $j $number || continue 2
    done
    echo "no check of $exercise sees the mistake $mistake" >>"$work/unseen"
  done <"$work/mistakes"
  touch "$work/unseen-$1-done"
}
for worker in $(seq $workers); do tries_mistakes $worker & done
wait
for worker in $(seq $workers); do [ -e "$work/unseen-$worker-done" ] || fails "worker $worker did not end well"; done
[ ! -e "$work/unseen" ] || fails "$(cat "$work/unseen")"

step "A starter, graded"
mkdir -p "$work/grade/grading"
[ -e "$work/grade/grading/tree" ] || cp -a "$work/solved-1" "$work/grade/grading/tree" # what is compiled is compiled
UPTO=0 OUT=$work/submission quietly $teacher student
for j in $graded; do
  grades $j "$work/submission"
  grep -q '^  0 of [1-9]' "$work/log" || fails "a starter gets points: $(cat "$work/log")"
done

step "Hostile submissions"
[ "$(id -u)" = 0 ] || { echo "Skipped, because only root can run them as somebody else."; exit; }
# attack EXERCISE FILE: writes the attack into the submission; what the grader should say is the file's first line.
attack() {
  sed -n '2,$p' "$2" >"$work/attack"
  sed -i -e "/exercise $1:/r $work/attack" -e "/exercise $1:/,/end $1/{/exercise $1:/!{/end $1/!d;};}" \
    "$work/submission/tasks/in_context.cpp"
}
# repelled EXERCISE FILE: does the table in $work/log say so?
repelled() {
  grep -q "✗ $1  0/" "$work/log" && ! grep -q "✓ $1 " "$work/log" || fails "$2: $1 got points: $(cat "$work/log")"
  grep -A 1 "✗ $1 " "$work/log" | grep -q "$(sed -n 1p "$2")" || fails "$2: the message is another one: $(cat "$work/log")"
}
set -- tests/course/teacher/hostile/*.txt
while [ $# -gt 0 ]; do # two at a time, in exercises of their own
  UPTO=10 OUT=$work/submission quietly $teacher student
  second=${2:-$1}
  attack 1.3 "$1"
  attack 1.4 "$second"
  grades 1 "$work/submission"
  repelled 1.3 "$1"
  repelled 1.4 "$second"
  grep -q '"max_score"' "$work/grade/results.json" || fails "the results are gone"
  [ "$(grep -c '✓ 1\.[1256]' "$work/log")" = 9 ] || fails "other exercises lost points: $(cat "$work/log")"
  echo "  $(basename "$1" .txt), $(basename "$second" .txt)"
  shift
  [ $# = 0 ] || shift
done

step "Gradescope's upload"
scope=$work/autograder
rm -rf "$scope" "$work/upload"
quietly $MAKE gradescope OUT="$work/upload" A=1 SECRET=word
mkdir "$scope"
cp -R "$work/upload/gradescope-1" "$scope/source"
mkdir "$scope/solved"
cp -a "$work/grade/grading" "$scope/solved" # what it would compile is compiled
echo '{ "id": 4711, "users": [] }' >"$scope/submission_metadata.json"
export AUTOGRADER=$scope CXX=${CXX:-g++} ARCH=${ARCH:-native}
quietly "$scope/source/setup.sh"
# submits FOLDER POINTS
submits() {
  rm -rf "$scope/submission" "$scope/results"
  cp -a "$1" "$scope/submission"
  quietly "$scope/source/run_autograder"
  points=$(sed -n 's/^ *"score": \([0-9]*\),\{0,1\}$/\1/p' "$scope/results/results.json" | awk '{ sum += $1 } END { print sum }')
  [ "$points" = "$2" ] || fails "Gradescope: $points points, not $2: $(cat "$scope/results/results.json")"
}
rm -rf "$work/submission"
UPTO=10 OUT=$work/submission quietly $teacher student
submits "$work/submission" 40
rm "$work/submission/tasks/in_context.cpp" # a link to the solution is none
ln -s "$scope/source/mesagrad/tasks/in_context.cpp" "$work/submission/tasks/in_context.cpp"
submits "$work/submission" 8 # of 1.2, which is in another file
rm -rf "$work/submission"
UPTO=0 OUT=$work/submission quietly $teacher student
submits "$work/submission" 0
step "The course holds what it promises."
