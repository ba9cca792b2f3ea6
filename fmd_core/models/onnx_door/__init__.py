"""The door for ONNX files, of any framework.

    checks    what a file must not try, before anything of it is run
    cutting   where its last linear layer lies: that becomes the head, what it reads the features
    export    the same file with another head, equal outside it
    runner    the process in which a file is opened and run, with limits on memory and time
    session   that process as this one sees it
    encoder   the features as an `Encoder`, and what of the data goes into which input
    opening   a file to a classifier and its passport

Only `checks`, `cutting`, `export` and `runner` import onnx, and only in that process.
"""
