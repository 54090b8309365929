# make test-course: that every assignment can be solved, can be failed, and gives nothing away.
#
# For every k a starter is cut: it compiles without a warning, all checks up to k hold, and all later ones fail
# with the sentence that something is not written yet. Every listed mistake makes a check of its exercise fail.
# The solutions hold for SEEDS seeds. A starter gets no point when it is graded. No hostile submission gets one,
# or keeps another exercise from its own.
set -eu
SEEDS=${SEEDS:-50} work=${OUT:-out}/course-proof teacher=build/teacher
mkdir -p "$work"
work=$(cd "$work" && pwd)
start=$(date +%s)
fails() { echo "test-course: $*" >&2; exit 1; }
step() { echo "$(($(date +%s) - start)) s: $*"; }
assignments=$(ls tests/course | sed -n 's/^0*\([0-9]*\)_.*/\1/p' | sort -n)

# checks_in TREE ASSIGNMENT: number, exercise of each of its checks
checks_in() { "$1/build/check-$2" list | cut -f 1 | awk '{ print NR - 1, $1 }'; }
# holds TREE ASSIGNMENT NUMBER: does that check?
holds() {
  (cd "$1" && timeout 60 build/check-$2 one $3 token >"$work/said" 2>&1 3>"$work/token") && [ "$(cat "$work/token")" = token ]
}
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fails "$*"; }; }

# is_given EXERCISE: does it start with code that is right, but slow? Then it has no sentence to say, and its
# checks, which take their time to be sure, are tried in the last starter alone.
given=$(awk '/\/\/ exercise /{ id = $3 } /\/\/\|/{ print id }' core/*.* nn/*.* tasks/*.* | sort -u)
is_given() { echo "$given" | grep -qx "$1:"; }

step "Starters"
for k in 0 $assignments; do
  UPTO=$k $teacher leaks
  UPTO=$k OUT=$work/starter quietly $teacher student
  quietly $MAKE -C "$work/starter" STRICT=1 $(for j in $assignments; do echo check-$j; done)
  for j in $assignments; do
    checks_in "$work/starter" $j | while read -r number exercise; do
      where="starter of assignment $((k + 1)), check $number of $exercise"
      if [ $j -le $k ]; then
        holds "$work/starter" $j $number || fails "$where: $(cat "$work/said")"
      elif ! is_given $exercise; then
        ! holds "$work/starter" $j $number || fails "$where holds before it is written"
        grep -q "is not written yet" "$work/said" ||
          fails "$where should say that it is not written: $(cat "$work/said")"
      elif [ $j -eq $((k + 1)) ]; then
        holds "$work/starter" $j $number || :
        [ -s "$work/said" ] || [ -s "$work/token" ] || fails "$where says nothing"
      fi
    done
  done
done

step "Solutions, $SEEDS seeds"
UPTO=10 OUT=$work/solved quietly $teacher student
rm -f "$work/solved/tests/course/starter"
quietly $MAKE -C "$work/solved" $(for j in $assignments; do echo check-$j; done)
for j in $assignments; do
  for seed in $(seq $SEEDS); do
    TEST_SEED=$seed "$work/solved/build/check-$j" x $j "$work/progress" >"$work/said" || fails "assignment $j, seed $seed: $(cat "$work/said")"
  done
done

step "Mistakes"
$teacher mistakes >"$work/mistakes"
n=0
while IFS='	' read -r j exercise mistake; do
  n=$((n + 1))
  MISTAKE=$n OUT=$work/solved $teacher plant
  if $MAKE -C "$work/solved" check-$j >"$work/log" 2>&1; then
    caught=
    for number in $(checks_in "$work/solved" $j | sed -n "s/ $exercise\$//p"); do
      holds "$work/solved" $j $number || caught=yes
    done
    [ "$caught" ] || fails "no check of $exercise sees the mistake $mistake"
  fi
done <"$work/mistakes"

step "A starter, graded"
rm -rf "$work/grade"
UPTO=0 OUT=$work/submission quietly $teacher student
for j in $(ls tests/course | sed -n 's/^0\([0-9]\)_.*/\1/p'); do
  A=$j FROM=$work/submission OUT=$work/grade MAKE_COMMAND=$MAKE quietly $teacher grade
  grep -q '^  0 of [1-9]' "$work/log" || fails "a starter gets points: $(cat "$work/log")"
done

step "Hostile submissions"
[ "$(id -u)" = 0 ] || { echo "Skipped, because only root can run them as somebody else."; exit; }
set -- tests/course/hostile/*.txt
while [ $# -gt 0 ]; do
  UPTO=10 OUT=$work/submission quietly $teacher student
  for exercise in 1.3 1.4; do
    [ $# -gt 0 ] || break
    eval "expected_$(echo $exercise | tr . _)=\$(sed -n 1p \"$1\")"
    sed -n '2,$p' "$1" >"$work/attack"
    file=$work/submission/tasks/in_context.cpp
    sed -i.old -e "/exercise $exercise:/r $work/attack" -e "/exercise $exercise:/,/end $exercise/{/exercise $exercise:/!{/end $exercise/!d;};}" "$file"
    echo "  $exercise $(basename "$1" .txt)"
    shift
  done
  A=1 FROM=$work/submission ID=mallory OUT=$work/grade MAKE_COMMAND=$MAKE quietly $teacher grade
  grep -q '"max_score"' "$work/grade/results.json" || fails "the results are gone"
  for exercise in 1.3 1.4; do
    eval "expected=\$expected_$(echo $exercise | tr . _)"
    grep -q "✗ $exercise  0/" "$work/log" && ! grep -q "✓ $exercise " "$work/log" || fails "$exercise got points: $(cat "$work/log")"
    grep -A 1 "✗ $exercise " "$work/log" | grep -q "$expected" || fails "$exercise should say '$expected': $(cat "$work/log")"
  done
  [ "$(grep -c '✓ 1\.[1256]' "$work/log")" = 9 ] || fails "other exercises lost points: $(cat "$work/log")"
done
step "The course holds what it promises."
