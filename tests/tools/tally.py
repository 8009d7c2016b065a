"""How the check_*.py scripts count what they find: every failure is told, and the end says how many there were."""
import sys

failures, checks = [], 0


def check(good, what):
    global checks
    checks += 1
    if not good:
        failures.append(what)
        print("FAILED: " + what)


def finish():
    print("%d checks, %d failed" % (checks, len(failures)))
    sys.exit(bool(failures))
