# make kill-test: TIMES kills, at random moments, of lessons that are resumed and of `make student`. No result
# may be lost or differ, no file may be there in part, and no temporary file may outlive the next run. Expects
# of the Makefile: BUILD, NUMBERS, TIMES, SEED.
set -e
for number in "TIMES=${TIMES:-1}" "SEED=${SEED:-1}"; do
  case ${number#*=} in *[!0-9]*) echo "$number: expected a whole number" >&2 && exit 2 ;; esac
done
out=$(mktemp -d "$BUILD/kill.XXXXXX")
trap 'rm -rf "$out"' EXIT
times=${TIMES:-1000} kills=0
fails() { echo "After $kills kills: $*" >&2; exit 1; }

# killed COMMAND: kills it at a random moment of the time `most`, which grows. True if it was killed.
awk -v seed="${SEED:-1}" 'BEGIN { srand(seed); for (n = 0; n < 1e6; ++n) print rand() }' >"$out/random"
exec 3<"$out/random"
killed() {
  read -r part <&3
  "$@" >"$out/log" 2>&1 3<&- &
  program=$! status=0
  sleep "$(awk "BEGIN { print $part * $most }")"
  kill -9 $program 2>/dev/null || :
  wait $program 2>/dev/null || status=$?
  [ $status -eq 0 ] || [ $status -eq 137 ] || fails "$* ended with status $status: $(tail -n 1 "$out/log")"
  most=$(awk "BEGIN { print $most * ($status ? 1.05 : 0.9) }")
  [ $status -eq 137 ] && kills=$((kills + 1))
}
nothing_abandoned() {
  left=$(find "$1" -name '.mesagrad-*')
  [ -z "$left" ] || fails "This is left of killed programs: $left"
}

# Lessons that train, each killed and resumed until it ends. But for times and threads, their results are
# those of a run that nobody killed.
same_results() {
  for run in whole killed; do
    sed -E '/"(seconds|threads)":/d; /"timings":/,$d' "$out/$run/tutorial-$1/results.json" >"$out/$run.json"
  done
  cmp "$out/whole.json" "$out/killed.json" || fails "Lesson $1 has other results"
}
while [ $((kills * 10)) -lt $((times * 7)) ]; do
  for n in $NUMBERS; do
    case $n in 1 | 4) continue ;; esac # they train nothing
    [ $((kills * 10)) -lt $((times * 7)) ] || break
    lesson=$BUILD/tutorial-$n
    [ -e "$out/whole/tutorial-$n" ] || "$lesson" SCALE=smoke OUT="$out/whole" >"$out/log"
    rm -rf "$out/killed"
    saved=0
    most=$(sed -n 's/^ *"seconds": \([0-9.]*\).*/\1 * 0.25/p' "$out/whole/tutorial-$n/results.json")
    while killed "$lesson" SCALE=smoke OUT="$out/killed" SAVE_EVERY=0 RESUME=1 \
      THREADS=$((kills % 3 + 1)); do
      if [ -e "$out/killed/tutorial-$n/results.json" ]; then same_results "$n"; continue; fi
      before=$saved saved=$(find "$out/killed" -name '*.safetensors' | wc -l)
      [ "$saved" -ge "$before" ] || fails "Lesson $n has lost a checkpoint"
    done
    [ "$saved" -gt 0 ] || fails "Lesson $n was never killed in training"
    same_results "$n"
    nothing_abandoned "$out/killed"
    [ ! -e "$out/killed/tutorial-$n/checkpoints" ] || fails "Lesson $n has left its checkpoints"
    echo "  $kills of $times kills; lesson $n, killed and resumed, has the results of one that was not"
  done
done

# Starters of the course, the first and the last by turns, over each other: between two runs each file is of
# one or the other.
for upto in 0 10; do UPTO=$upto OUT="$out/whole-$upto" "$BUILD/teacher" student >"$out/log"; done
upto=0 most=1
while :; do
  mkdir -p "$out/student"
  while killed env UPTO=$upto OUT="$out/student" "$BUILD/teacher" student; do
    find "$out/student" -type f ! -name '.mesagrad-*' | while read -r file; do
      name=${file#"$out/student/"}
      cmp -s "$file" "$out/whole-0/$name" || cmp -s "$file" "$out/whole-10/$name" || fails "a part of $name"
    done
    upto=$((10 - upto))
  done
  diff -r "$out/whole-$upto" "$out/student" || fails "The starter UPTO=$upto is another one"
  nothing_abandoned "$out/student"
  [ "$kills" -lt "$times" ] || break
  [ $((kills % 5)) -gt 0 ] || rm -rf "$out/student"
done
echo "$kills programs were killed; no result was lost, and none differs."
