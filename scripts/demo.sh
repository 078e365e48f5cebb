#!/bin/sh
# The main job on real text: what do the features of a small SAE mean in the descriptions of all
# packages that this machine knows (where it knows none: in sentences of this project)? Every
# command is printed as it is run, and can be run again. Results go to demo-run/.
set -eu
cd "$(dirname "$0")/.."
program=build/release/saescope
model=build/demo/all-MiniLM-L6-v2
texts=build/demo/descriptions.jsonl
embeddings=build/demo/descriptions.npy
mine=build/demo/my-sae
out=demo-run

show() { # print a command, then run it
    echo
    echo "\$ $*"
    "$@"
}

mkdir -p build/demo
rm -f $embeddings
ln -sfn "$(scripts/fetch-encoder.sh)" $model
if ! scripts/package-descriptions.sh > $texts 2> /dev/null; then
    echo "demo: no package lists here (on Debian: apt-get update); reading demo/texts.jsonl instead"
    cp demo/texts.jsonl $texts
fi

show $program analyze --model $model --dataset $texts --out $out --save-embeddings $embeddings --force

echo
echo "Two features: label, how well it tells texts apart that it was not made from, and texts:"
show $program show $out 360 1513

echo
echo "How often features fire, as a picture:"
show $program plot $out --zoom --force

echo
echo "An SAE of your own takes a minute. This one is small, and is compared with the one that is built in:"
show $program train --embeddings $embeddings --dict-size 768 --top-k 16 --max-steps 600 --out $mine --force
show $program evaluate --sae $mine --compare embedded:all-MiniLM-L6-v2 --embeddings $embeddings --num-examples 4000

cat <<END

Next:
  $program show $out --search editor
      features whose top texts hold a word
  $program inspect $out
      the run in numbers
  $program score $out --feature 360 --label 'your own words'
      how good another label is; descriptions.csv has a row for each feature
  $program train --model $model --dataset YOUR-TEXTS --out your-sae
      an SAE of your own texts (docs/training.md), for --sae of analyze
To type saescope instead of $program:
  PATH=\$PWD/build/release:\$PATH

open it: $program view $out
END
