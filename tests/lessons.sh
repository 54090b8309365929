# make test-lessons: every lesson at a glance, killed lessons, and bad input. Expects of the Makefile: BUILD, the
# folder of the compiled lessons NUMBERS; REAL, RUNNER, SANITIZE and MAKE.
set -e
out=$(mktemp -d "$BUILD/lessons.XXXXXX")
trap 'rm -rf "$out"' EXIT

fails() { echo "$*" >&2; exit 1; }
lesson() {
  number=$1
  shift
  $RUNNER "$BUILD/tutorial-$number" SCALE=smoke "$@"
}

for n in $NUMBERS; do
  echo "Lesson $n at smoke scale"
  lesson "$n" OUT="$out/smoke" >"$out/log"
  published=$(sed -n 's/^ *"\(published_\)*fingerprint": //p' "$out/smoke/tutorial-$n/results.json" | uniq | wc -l)
  [ "$published" -eq 1 ] ||
    fails "Lesson $n has not computed the published numbers: somebody changed it, or a rounding"
done

echo "The book, with the figures of these runs"
$RUNNER "$BUILD/book" OUT="$out/smoke" >"$out/log"
if grep 'has not run' "$out/log"; then fails "The book lacks a lesson"; fi
grep -q '<svg' "$out"/smoke/book/*depth*lesson*.html || fails "The book has no figures"

# A killed lesson, resumed on other threads, must write the same results but for the time it took.
# kill_in_training N: as soon as it has saved something.
kill_in_training() {
  checkpoints=$out/killed/tutorial-$1/checkpoints/smoke-seed-1-$REAL
  $RUNNER "$BUILD/tutorial-$1" SCALE=smoke OUT="$out/killed" SAVE_EVERY=0 >"$out/log" &
  pid=$!
  until ls "$checkpoints"/*.safetensors >"$out/saved" 2>&1 || ! kill -0 $pid 2>"$out/log"; do sleep 0.02; done
  kill -9 $pid 2>"$out/log" || :
  wait $pid 2>"$out/log" || :
  ls "$checkpoints"/*.safetensors >"$out/saved" 2>&1 || fails "Lesson $1 was not killed in training"
}
# same_results N: but for times and threads.
same_results() {
  for run in smoke killed; do
    sed -E '/"(seconds|threads)":/d; /"timings":/,$d' \
      "$out/$run/tutorial-$1/results.json" >"$out/$run.json"
  done
  cmp "$out/smoke.json" "$out/killed.json"
}

echo "Lesson 3, killed in training and resumed"
kill_in_training 3
checkpoint=$checkpoints/layer-1.safetensors
lesson 3 OUT="$out/killed" SEED=2 >"$out/log"
[ -e "$checkpoint" ] || fails "A run with another seed removed $checkpoint"
cp "$checkpoint" "$out/whole"
printf damaged | dd of="$checkpoint" bs=1 seek=5000 conv=notrunc 2>/dev/null
if lesson 3 OUT="$out/killed" RESUME=1 >"$out/log" 2>&1; then fails "A damaged checkpoint was accepted"; fi
cp "$out/whole" "$checkpoint"
lesson 3 OUT="$out/killed" RESUME=1 THREADS=3 >"$out/log"
same_results 3

for n in 5 6 7 8 9 10 11 12 13; do
  echo "Lesson $n, killed in training and resumed"
  kill_in_training $n
  lesson $n OUT="$out/killed" RESUME=1 THREADS=3 >"$out/log"
  same_results $n
done

# The jobs of `make paper-jobs`, of two seeds of which one is done, two at a time, and their report.
echo "The report of several seeds"
mkdir -p "$out/seeds/smoke"
ln -s "$PWD/$out/smoke" "$out/seeds/smoke/seed-1"
echo 'n=${1#tutorial-}; shift; exec $RUNNER "$BUILD/tutorial-$n" "$@"' >"$out/make"
reproduction() {
  LESSONS="1 3" SEEDS=${SEEDS:-1 2 1} MAKE="sh $out/make" SETTINGS=THREADS=1 \
    PAGE=$out/page KEPT=$out/kept README=$out/readme \
    $RUNNER "$BUILD/reproduction" "$1" SCALE=smoke OUT="${2:-$out/seeds}" $3
}
reproduction jobs >"$out/jobs" 2>"$out/log"
line='^test -e [^ ]+/seed-2/tutorial-[13]/results.json \|\| sh [^ ]+ tutorial-[13] SCALE=smoke SEED=2 OUT=[^ ]+/seed-2 RESUME=1 THREADS=1 # '
[ "$(grep -cE "$line" "$out/jobs")" -eq 2 ] && [ "$(wc -l <"$out/jobs")" -eq 2 ] ||
  fails "Not the jobs that are left: $(cat "$out/jobs")"
tr '\n' '\0' <"$out/jobs" | RUNNER=$RUNNER BUILD=$BUILD xargs -0 -n 1 -P 2 sh -c >"$out/log"
reproduction left 2>"$out/log" || fails "Jobs that are done are left"
echo '| Figure 4A: halfway after 0 updates | ...' >"$out/readme"
reproduction publish >"$out/log"
grep -q '^| Figure 4A: halfway after 0 updates | [0-9].* | [0-9.]* | [-+0-9.]* % |$' "$out/readme" ||
  fails "The numbers of the README are not the report's"
grep -q '^| [^ ]* halfway after 0 updates | [^|]* ± [^|]* | .* | 2 |$' "$out/page" || fails "No row of two seeds"

# With learning rates of zero nothing is learned, and no page may say that anything was: every sentence about the
# run has a number of it, and titles and captions tell what to look for.
# same_loss N CURVE: the test loss is the same from the first update to the last.
same_loss() {
  losses=$(sed -n "/^ *\"$2\": {/,/}/s/^ *\"mean\": \[\(.*\)\],*/\1/p" "$out/control/tutorial-$1/results.json")
  [ "$(echo "$losses" | tr -d ' ' | tr , '\n' | sort -u | grep -c '^[0-9]')" -eq 1 ] ||
    fails "Lesson $1 has learned something with learning rates of zero: $losses"
}
outcomes='beats|wins|finds|found|outperforms|succeeds|proves|confirms|solves'
for n in 3 7 9 10 11 12 13; do
  echo "Lesson $n, with learning rates of zero"
  lesson $n OUT="$out/control" RATE=0 >"$out/log"
  page=$out/control/tutorial-$n/index.html
  said='<p class="said">'
  grep -q "$said" "$page" || fails "The page of lesson $n says nothing"
  if grep "$said" "$page" | grep -v '>[^<]*[0-9]'; then fails "Lesson $n says this without a number"; fi
  if grep -E '<figcaption>|class="title"|<caption>' "$page" | grep -wE "$outcomes"; then
    fails "A title or caption of lesson $n says this whatever was learned"
  fi
done
same_loss 3 'interpolation: trained layer'
same_loss 7 'loss-hybrid: loss'
same_loss 12 'learning: mesa'

# refuses COMMAND: it must end with status 2 (1 means that a claim does not hold), and say why in exactly
# one line.
refuses() {
  status=0
  "$@" >/dev/null 2>"$out/refusal" || status=$?
  [ $status -eq 2 ] || fails "Status $status, not 2: $*"
  [ "$(wc -l <"$out/refusal")" -eq 1 ] || { cat "$out/refusal" >&2; fails "Not one line of explanation: $*"; }
}
for bad in SCALE=huge SEED=abc SEED=-1 RESUME=yes THREADS=0 THREADS=many RATE=-1 OUT=/dev/null/out SPEED=11; do
  refuses lesson 1 OUT="$out/smoke" "$bad"
done
seeds() { SEEDS=$1 reproduction jobs; }
refuses seeds 1x
refuses seeds -1
refuses reproduction left "$out/none"
refuses reproduction jobs "$out" SCALE=huge
refuses reproduction report "$out/none"
rm "$out/seeds/smoke/seed-1"
refuses $RUNNER "$BUILD/book" OUT=/dev/null/out
cp "$out/page" "$out/before"
reproduction publish >"$out/log" # of one seed, where two are kept
cmp "$out/before" "$out/page"
too_many() { KMP_WARNINGS=0 OMP_NUM_THREADS=100000 lesson 1 OUT="$out/smoke"; }
small_files() { (ulimit -f 8; lesson 1 OUT="$out/smoke"); }
no_memory() { (ulimit -v 1000000; lesson 1 OUT="$out/smoke" THREADS=1000); }
no_text() { lesson 12 OUT="$out/smoke" TEXT=/no/such/file; }
full() { lesson 1 OUT="$out/smoke" >/dev/full; }
refuses too_many
refuses no_text
refuses small_files
if [ -z "$SANITIZE$RUNNER" ] && [ "$(uname)" = Linux ]; then refuses no_memory; fi
if [ -e /dev/full ]; then refuses full; fi
if $MAKE --no-print-directory tutorial-99 >/dev/null 2>&1; then fails "There is a lesson 99"; fi
echo "Every lesson runs, and bad input is refused in one sentence."
