"""Feeds each reader of files what nobody would write.

    python -m fuzz                     every reader, 10 minutes each
    python -m fuzz --minutes 1 v1      one of them

A target is a module `fuzz_NAME` with

    PATH     what to open, within a folder
    files()  a Hypothesis strategy of {name of a file: its bytes}

and may have `read(path)` where opening and reading all arrays is not what
is to be tried. Each input must end in a result or in a `UserError`. Folders
in `corpus/NAME` are tried before anything else: put there what once failed.
"""
