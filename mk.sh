set -e
for t in base 1; do
 R=/tmp/h/$t
 gcc -std=gnu11 -O2 -w -I$R/plugin/include -I$R/plugin -I$R/samples/winnow -o sb.$t sb.c $R/samples/winnow/bench_inputs.c $R/samples/winnow/half.c $R/samples/winnow/cli.c $R/samples/winnow/output.c $R/build/lib/libwinnow_core.a -ldl -lm -lpthread 2>&1 | head -20
done
