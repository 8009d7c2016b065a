#!/usr/bin/env bash
# answers.sh [FOLDER]: the table and the plot of docs/figures.md, "Answers against tokens", in FOLDER (default: answers).
# Builds nothing: winnow-evaluate must be in build/bin, or where WINNOW_EVALUATE says. python3 with numpy. CLIPS of 8 questions
# (default 260: over 2,000); some three hours of a core with a llama.cpp that has vector instructions, half of them for the pipelines
# that choose for each question.
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
pipelines+=("laco=layer=2:factor=2:weights=$here/../model/laco-winnow-qa.safetensors"
    "flash=weights=$here/../model/flash-winnow-qa.safetensors:frames=each"
    "hicom=weights=$here/../model/hicom-winnow-qa.safetensors:temporal=1:spatial=3"
    flatten,scope=keep=72 flatten,scope=keep=28 flatten,holov=keep=72:attention=received
    flatten,holov=keep=28:attention=received flatten,prunesid=keep=72 flatten,prunesid=keep=28 flatten,dart=keep=72
    flatten,dart=keep=28 motion=rate=0.75 motion=rate=0.9 vidcom2=keep=25% vidcom2=keep=10% v-cast=keep=25%
    v-cast=keep=10% dtd=rate=0.87 flashvid=keep=19% flashvid=keep=7% holitom=keep=25% holitom=keep=10%
    streamingtom=keep=9 streamingtom=keep=3 prunevid=clusters=0.33 flatten,hiprune=keep=72 flatten,hiprune=keep=28
    vscan=keep=9:attention=received vscan=keep=4:attention=received hired=keep=25%:attention=received
    hired=keep=10%:attention=received flatten,cascade=keep=25%:of=fastervlm+divprune:attention=received
    flatten,cascade=keep=10%:of=fastervlm+divprune:attention=received flatten,divprune=keep=25%:centre=on
    flatten,divprune=keep=10%:centre=on flatten,prumerge=ratio=0.25:attention=received
    flatten,prumerge=ratio=0.1:attention=received mustdrop=keep=9:window=2 mustdrop=keep=4:window=3
    framefusion=cost=0.25 framefusion=cost=0.07 evs=rate=0.9
    flatten,union=keep=28%:of=fastervlm+divprune:attention=received
    flatten,union=keep=12%:of=fastervlm+divprune:attention=received avg-pool=stride=10 adaptive-pool=size=3
    flatten,prumerge-plus=ratio=0.0625:attention=received flatten,prumerge-plus=ratio=0.025:attention=received
    longvu=threshold=0.45 flatten,tops=keep=72 flatten,tops=keep=28 vitcop=keep=25%:attention=received
    flatten,vitcop=keep=25%:attention=received flatten,vitcop=keep=10%:attention=received
    correlation=similarity=0.5:attention=received correlation=similarity=0.3:attention=received focus=similarity=0.85
    focus=similarity=0.75 focus=similarity=0.7 sttm=threshold=0.97:temporal=0.95 sttm=threshold=0.9:temporal=0.85
    "hicom=weights=$here/../model/hicom-winnow-qa.safetensors" focus=similarity=0.83 longvu=threshold=0.5 prunevid=clusters=0.5
    vitcop=rows=clusters:attention=received dycoke=rate=0.99 flatten,fsr=keep=25%:attention=received
    flatten,fsr=keep=10%:attention=received fastvid=keep=25% fastvid=keep=10% clse=keep=25%:score=change
    "flash=weights=$here/../model/flash-9-winnow-qa.safetensors:frames=each"
    "hicom=weights=$here/../model/hicom-2-winnow-qa.safetensors:temporal=1:spatial=2"
    "hicom=weights=$here/../model/hicom-winnow-qa.safetensors:temporal=1:spatial=2")
# Chosen for each question, by the language model's second layer where nothing else is said.
for share in 25 10; do
    pipelines+=("fastv=rate=0.$((100 - share))" "pyramiddrop=ratio=0.$share" "sparsevlm=keep=$share%:recycle=off"
        "explain=keep=$share%:weights=$here/../model/explain-winnow-qa.safetensors:layer=0" "ficoco-l=keep=$share%"
        "tops-llm=keep=$share%" "sieve=keep=$share%" "focus-llm=keep=$share%" "flatten,cdpruner=keep=$share%"
        "flatten,mmtok=keep=$share%" "prunevid-llm=keep=$share%" "llm:vitcop-llm=keep=$share%" "dytok=keep=$share%"
        "hidden:clse=keep=$share%" "hidden:sieve=keep=$share%" "hidden:tops-llm=keep=$share%"
        "hidden:sparsevlm=keep=$share%:recycle=off")
done
pipelines+=(sparsevlm=keep=22% sparsevlm=keep=8% mustdrop-llm=global=0.0045:individual=0.012
    mustdrop-llm=global=0.006:individual=0.02 llm:flatten,dart=keep=68 llm:flatten,dart=keep=25
    llm:framefusion=cost=0.25:prune=attention:threshold=0.9 llm:framefusion=cost=0.1:prune=attention:threshold=0.9)

python3 "$here/make_questions.py" "$out/clips" --clips "${CLIPS:-260}" --questions 8
results=()
for ((first = 0; first < ${#pipelines[@]}; first += 60)); do # winnow-evaluate takes 64
    arguments=()
    for pipeline in "${pipelines[@]:first:60}"; do
        arguments+=(--pipeline "$pipeline")
    done
    results+=("$out/results-$((first / 60)).jsonl")
    "$evaluate" "$out/clips/clips.jsonl" -o "${results[-1]}" -t 1 --backend cpu "${arguments[@]}"
done
python3 "$here/plot.py" "${results[@]}" --table "$out/table.md" --plot "$out/plot.svg" \
    --lines random uniform budget divprune "flatten + vispruner" "flatten + cascade" evs tome visionzip
