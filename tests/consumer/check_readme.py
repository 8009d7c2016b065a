#!/usr/bin/env python3
"""Compiles README.md's first C example as it stands, a program or functions, warnings as errors.

usage: check_readme.py README.md COMPILER [OPTION...]
"""
import os
import re
import subprocess
import sys
import tempfile


def main():
    readme, compiler, *options = sys.argv[1:]
    if not os.path.exists(readme):
        sys.exit(f"{readme}: not there")
    with open(readme, encoding="utf-8") as file:
        block = re.search(r"^```c\n(.*?)^```", file.read(), re.S | re.M)
    if not block:
        sys.exit(f"{readme}: it has no ```c block (show a host in C)")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "readme.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(block[1])
        # A shared object with nothing undefined: it needs no main, but every function must be there.
        command = [compiler, "-std=c17", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
                   "-Wl,-z,defs", *options, source, "-o", os.path.join(folder, "readme"), "-ldl"]
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"{readme}: its first C example does not compile")
    print("README.md's example compiles")


if __name__ == "__main__":
    main()
