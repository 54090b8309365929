# make fuzz: RUNS inputs for each fuzzer of this folder. An input that takes longer than a second, more than
# 256 MB (with the sanitizer's own) or 64 MB at once is a finding, too. Expects of the Makefile: MAKE, CXX
# (empty: the newest clang), OUT, RUNS, SEED.
set -e
for number in "RUNS=${RUNS:-1}" "SEED=${SEED:-1}"; do
  case ${number#*=} in *[!0-9]*) echo "$number: expected a whole number" >&2 && exit 2 ;; esac
done
CXX=${CXX:-$(echo "$PATH" | tr : '\n' | while read -r folder; do ls "$folder" 2>/dev/null; done |
  grep -xE 'clang\+\+(-[0-9]+)?' | sort -V | tail -n 1)}
CXX=${CXX:-clang++}
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, decltype(sizeof 0)) { return 0; }' |
  $CXX -x c++ - -fsanitize=fuzzer,address -o /dev/null 2>/dev/null || {
  echo "make fuzz needs clang and its libFuzzer (packages clang and libclang-rt-dev), and $CXX has none" >&2
  exit 2
}
names=$(ls tests/fuzz/*.cpp | sed 's|.*/\(.*\)\.cpp|\1|')
$MAKE $(echo "$names" | sed 's/^/fuzz-/') SANITIZE=1 REAL=float CXX="$CXX" \
  CXXFLAGS="$CXXFLAGS -fsanitize=fuzzer-no-link" LDFLAGS="$LDFLAGS -fsanitize=fuzzer"

out=${OUT:-out}/fuzz
memory=/dev/shm
[ -w $memory ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d $memory/fuzz.XXXXXX)
trap 'rm -rf "$TMPDIR"' EXIT
export TMPDIR OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=quarantine_size_mb=8:malloc_context_size=4:detect_stack_use_after_return=0

# fuzz NAME FLAGS INPUTS
fuzz() {
  program=build/fuzz-$1
  shift
  $program -seed="${SEED:-1}" -max_len=4096 -timeout=1 -rss_limit_mb=256 -malloc_limit_mb=64 "$@" 2>&1
}
found=0
for name in $names; do
  inputs=$out/$name left=${RUNS:-1000000} what=
  rm -rf "$inputs" "$inputs"[-.]*
  mkdir -p "$inputs"
  until fuzz "$name" -runs="$left" -dict="$inputs.words" -artifact_prefix="$inputs-" -print_final_stats=1 \
    "$inputs" >>"$inputs.log"; do
    # Was it too slow, or was the machine busy with something else? Then the rest is still to be done.
    if ! slow=$(ls "$inputs"-timeout-* 2>/dev/null) || ! fuzz "$name" "$slow" >"$inputs.again"; then
      found=1 what=$(ls "$inputs"-* 2>/dev/null || echo "as in $inputs.log")
      break
    fi
    rm "$slow"
    left=$((${RUNS:-1000000} - $(awk '/number_of_executed_units/ { n += $2 } END { print n }' "$inputs.log")))
    [ $left -gt 0 ] || break
  done
  awk -v name="$name" -v what="$what" '/INFO: Seed/ { why = "" } /peak_rss_mb/ { memory = $2 }
    / cov: / { for (i = 1; i < NF; ++i) if ($i == "cov:") edges = $(i + 1) }
    /number_of_executed_units/ { runs += $2 } /average_exec_per_sec/ { rate = $2 }
    /FINDING|ERROR: |runtime error:|what\(\):/ { why = why "\n    " $0 }
    END { printf "  %-12s %8d inputs, %5d edges covered, %5d/s, %d MB\n", name, runs, edges, rate, memory
      if (what) print "  FOUND:" why "\n    again: build/fuzz-" name " " what }' "$inputs.log"
done
[ $found = 0 ] || exit 1
echo "Nothing was found."
