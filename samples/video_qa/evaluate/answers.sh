#!/usr/bin/env bash
# answers.sh [FOLDER]: the table and the plot of docs/figures.md, "Answers against tokens", in FOLDER (default: answers).
# Builds nothing: winnow-evaluate must be in build/bin, or where WINNOW_EVALUATE says. python3 with numpy. CLIPS of 8 questions
# (default 260: over 2,000); some ten minutes of a core with a llama.cpp that has vector instructions.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-answers}
evaluate=${WINNOW_EVALUATE:-$here/../../../build/bin/winnow-evaluate}
mkdir -p "$out"

# Of the 288 tokens of a clip: half, a quarter, a tenth, a twentieth. Stages that work on each frame of 36 round to whole tokens.
# `received`: the attention that a token receives, since this encoder has no class token.
pipelines=(none)
for share in 50 25 10 5; do
    pipelines+=("random=keep=$share%" "uniform=keep=$share%" "divprune=keep=$share%" "flatten,divprune=keep=$share%"
        "budget=$share%" "tome=keep=$share%:metric=tokens" "flatten,tome=keep=$share%:metric=tokens"
        "fastervlm=keep=$share%:attention=received" "vispruner=keep=$share%:attention=received"
        "flatten,vispruner=keep=$share%:attention=received")
done
pipelines+=(evs=rate=0.5 evs=rate=0.75 evs=rate=0.875 evs=rate=0.75,flatten,divprune=keep=40%
    evs=rate=0.75,flatten,divprune=keep=20% dycoke=rate=0.7
    visionzip=dominant=15:contextual=3:attention=received visionzip=dominant=8:contextual=1:attention=received
    visionzip=dominant=3:contextual=1:attention=received prumerge=attention=received prumerge-plus=attention=received
    vispruner=keep=4:attention=received divprune=keep=3 flatten,fastervlm=keep=10%:attention=received
    visionzip=dominant=1:contextual=1:attention=received avg-pool=factor=2 avg-pool=factor=3 bilinear-pool=factor=2
    bilinear-pool=factor=3 adaptive-pool=size=1 adaptive-pool=size=2 adaptive-pool=size=4 laco=layer=2:factor=2
    tome=r=4:layers=all)

arguments=()
for pipeline in "${pipelines[@]}"; do
    arguments+=(--pipeline "$pipeline")
done
python3 "$here/make_questions.py" "$out/clips" --clips "${CLIPS:-260}" --questions 8
"$evaluate" "$out/clips/clips.jsonl" -o "$out/results.jsonl" -t 1 --backend cpu "${arguments[@]}"
python3 "$here/plot.py" "$out/results.jsonl" --table "$out/table.md" --plot "$out/plot.svg" \
    --lines random uniform budget divprune "flatten + vispruner" evs tome visionzip
