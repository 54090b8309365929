# make gradescope A=3 OUT=dir: dir/gradescope-3 is what Gradescope's autograder is made of. Zip what is in it, and
# upload the zip. (SECRET=word goes into it: seeds are made of it and of the number of the submission.)
set -eu
case ${A:-} in [1-9]) ;; *) echo "A=${A:-} is no assignment that can be graded: 1 to 9" >&2; exit 1 ;; esac
case ${SECRET:-} in *"'"*) echo "SECRET=$SECRET: a word without quotes, please" >&2; exit 1 ;; esac
to=${OUT:-out}/gradescope-$A
rm -rf "$to"
mkdir -p "$to/mesagrad"
cp -R core nn tasks tests tutorials Makefile README.md LICENSE "$to/mesagrad"

# What both scripts need. Image and run may meet different processors, so none is `native`; and g++ 11, which
# Ubuntu 22.04 has, is too old.
common="here=\${AUTOGRADER:-/autograder}
export CXX=\${CXX:-g++-12} ARCH=\${ARCH:-x86-64-v3} A=$A SECRET='${SECRET:-}'
export MAKE_COMMAND=\"make CXX=\$CXX ARCH=\$ARCH\"
cd \"\$here/source/mesagrad\""

# Everything is compiled once, by grading the solution; of a submission, later, only its own files.
cat >"$to/setup.sh" <<END
#!/usr/bin/env bash
set -eu
[ "\${CXX:-}" ] || { apt-get update && apt-get install -y g++-12 make; }
$common
make teacher
FROM=. OUT="\$here/solved" build/teacher grade
chmod -R go= "\$here/source" # solutions and the secret
END

cat >"$to/run_autograder" <<END
#!/usr/bin/env bash
set -eu
$common
mkdir -p "\$here/results"
cp -a "\$here/solved/grading" "\$here/results"
ID=\$(sed -n 's/^ *"id": *\([0-9]*\).*/\1/p' "\$here/submission_metadata.json" | head -n 1)
FROM="\$here/submission" OUT="\$here/results" ID="\$ID" build/teacher grade
END
chmod +x "$to/setup.sh" "$to/run_autograder"
echo "$to: zip its contents, and upload the zip as the autograder of assignment $A"
