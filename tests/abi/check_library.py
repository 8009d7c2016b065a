#!/usr/bin/env python3
"""Checks the built library from outside.

usage: check_library.py [--instrumented] LIBWINNOW.so LIBWINNOW_CORE.a

One exported symbol; no libvulkan; nothing that reads the environment, prints or ends the process;
no global state: no object of ours has writable data. Sanitizers add symbols and state of their own:
with --instrumented only the exported symbol and the linked libraries are checked.
"""
import re
import subprocess
import sys

FORBIDDEN = {"getenv", "secure_getenv", "setenv", "printf", "puts", "putchar", "perror", "exit",
             "_exit", "abort", "rand", "srand", "setlocale", "signal", "stdout", "stderr"}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(*arguments):
    """(kind, name) of each line of nm."""
    lines = output("nm", *arguments).splitlines()
    return [m.groups() for m in (re.search(r"\b([A-Za-z]) (\S+)$", line) for line in lines) if m]


def main():
    instrumented = "--instrumented" in sys.argv
    library, archive = [a for a in sys.argv[1:] if a != "--instrumented"]
    wrong = []
    # The linker's version node comes as an absolute symbol.
    exported = [n.split("@")[0] for k, n in symbols("-D", "--defined-only", library) if k != "A"]
    if exported != ["winnow_get_api"]:
        wrong.append(f"exported: {exported}")
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", library))
    if any("vulkan" in n for n in needed):
        wrong.append(f"linked libraries: {needed}")
    if not instrumented:
        imported = {n.split("@")[0] for _, n in symbols("-D", "-u", library)}
        wrong += [f"it imports {n}" for n in sorted(imported & FORBIDDEN)]
        # .data.rel.ro (constant tables of pointers) is read-only once the library is loaded.
        for line in output("objdump", "-h", archive).splitlines():
            section = re.match(r"\s*\d+ (\.(?:data|bss|tdata|tbss)\S*)\s+([0-9a-f]+)", line)
            if section and int(section[2], 16) and not section[1].startswith(".data.rel.ro"):
                wrong.append(f"{archive}: {section[1]} of {int(section[2], 16)} bytes")
    print("\n".join(wrong) or "one symbol, no state, no environment, no libvulkan")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
