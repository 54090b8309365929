# make fuzz: RUNS inputs for each fuzzer of this folder. An input that takes longer than a second or more than 256 MB
# (the sanitizer's own included), or one allocation of more than 64 MB, is a finding too. Expects of the Makefile:
# MAKE, CXX (empty: the newest clang), OUT, RUNS, SEED.
set -e
CXX=${CXX:-$(echo "$PATH" | tr : '\n' | while read -r folder; do ls "$folder" 2>/dev/null; done |
  grep -xE 'clang\+\+(-[0-9]+)?' | sort -V | tail -n 1)}
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, decltype(sizeof 0)) { return 0; }' |
  ${CXX:-clang++} -x c++ - -fsanitize=fuzzer,address -o /dev/null 2>/dev/null || {
  echo "make fuzz needs a clang with libFuzzer, and ${CXX:-clang++} is none (Debian, Ubuntu: clang, libclang-rt-dev)" >&2
  exit 2
}
names=$(ls tests/fuzz/*.cpp | sed 's|.*/\(.*\)\.cpp|\1|')
$MAKE $(echo "$names" | sed 's/^/fuzz-/') SANITIZE=1 REAL=float CXX="$CXX" LDFLAGS="$LDFLAGS -fsanitize=fuzzer" \
  CXXFLAGS="$CXXFLAGS -fsanitize=fuzzer-no-link"

out=${OUT:-out}/fuzz
memory=/dev/shm
[ -w $memory ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d $memory/fuzz.XXXXXX)
trap 'rm -rf "$TMPDIR"' EXIT
export TMPDIR OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=quarantine_size_mb=8:malloc_context_size=4:detect_stack_use_after_return=0
found=0
for name in $names; do
  rm -rf "$out/$name" "$out/$name"-*
  mkdir -p "$out/$name"
  build/fuzz-$name -runs="${RUNS:-1000000}" -seed="${SEED:-1}" -max_len=4096 -timeout=1 -rss_limit_mb=256 \
    -malloc_limit_mb=64 -dict="$out/$name.words" -artifact_prefix="$out/$name-" -print_final_stats=1 "$out/$name" \
    >"$out/$name.log" 2>&1 || found=1
  awk -v name="$name" '/ cov: / { edges = $4; split($0, at, "rss: ") } /number_of_executed_units/ { runs = $2 }
    /average_exec_per_sec/ { rate = $2 } /slowest_unit_time_sec/ { slowest = $2 } /peak_rss_mb/ { memory = $2 }
    /FINDING|ERROR: |runtime error:/ { why = why "\n    " $0 } /Test unit written to/ { file = $NF }
    END { printf "  %-12s %s inputs, %s edges covered, %s/s, %s MB%s\n", name, runs, edges, rate, memory, why
      if (file) print "    again: build/fuzz-" name, file }' "$out/$name.log"
done
[ $found = 0 ] && echo "Nothing was found." || exit 1
