#!/usr/bin/env python3
"""Checks what the compiler cannot see in the public headers.

usage: check_header.py LAYOUT.def HEADER...

Every function that a host can call has a thread rule ([any-thread] or [object]): in a comment on
its line, or in the comment above it, which functions that stand together share. LAYOUT.def names
every member of every struct and every enumerator, so that layout.txt pins them all.
"""
import re
import sys

TAG = re.compile(r"\[(any-thread|object(: \w+)?)\]")


def structs(text):
    """Name and body of each struct with a body."""
    return re.findall(r"typedef struct (\w+) \{(.*?)\n\} \1;", text, re.S)


def untagged(body):
    """Function pointers of a table whose nearest comment before, or on their line, has no rule."""
    missing, tagged = [], False
    for piece in re.findall(r"/\*.*?\*/|[^/;]+;[ \t]*(?:/\*[^\n]*\*/)?", body, re.S):
        if piece.startswith("/*"):
            tagged = bool(TAG.search(piece))
            continue
        name = re.search(r"\(\*(\w+)\)", piece)
        if name and not tagged and not TAG.search(piece):
            missing.append(name.group(1))
    return missing


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def members(body):
    found = []
    for line in without_comments(body).split(";"):
        function = re.search(r"\(\*(\w+)\)", line)
        plain = re.search(r"(\w+)\s*(\[\w+\])?\s*$", line)
        if function or plain:
            found.append((function or plain).group(1))
    return found


def enumerators(text):
    bodies = re.findall(r"enum \{(.*?)\}", without_comments(text), re.S)
    return re.findall(r"\b(WINNOW_\w+)", " ".join(bodies))


def main():
    wrong = []
    listed = open(sys.argv[1], encoding="utf-8").read()
    for path in sys.argv[2:]:
        text = open(path, encoding="utf-8").read()
        for name, body in structs(text):
            # A host's functions (allocator, queue locks) are called by us: their rule is in prose.
            if name == "winnow_api" or name.startswith("winnow_ext_"):
                wrong += [f"{path}: {name}.{f} has no thread rule" for f in untagged(body)]
            for member in members(body):
                if not re.search(rf"FIELD\({name}, {member}\)", listed):
                    wrong.append(f"{sys.argv[1]}: FIELD({name}, {member}) is missing")
        for name in enumerators(text):
            if not re.search(rf"NUMBER\({name}\)", listed):
                wrong.append(f"{sys.argv[1]}: NUMBER({name}) is missing")
        exported = re.search(r"/\*(?:(?!\*/).)*\*/\nWINNOW_EXPORT", text, re.S)
        if "WINNOW_EXPORT const" in text and not (exported and TAG.search(exported.group())):
            wrong.append(f"{path}: the exported function has no thread rule")
    print("\n".join(wrong) or "every member is pinned and every function has its thread rule")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
